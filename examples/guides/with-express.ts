import express, { type Express } from "express";
import { type Millrace, MillraceError } from "millrace";
import { makeInvoice } from "./invoice.ts";

export function invoiceRoutes(millrace: Millrace): Express {
  const app = express();
  app.use(express.json());
  app.post("/invoices", async (request, response) => {
    const { order, cents } = request.body as { order: string; cents: number };
    try {
      const job = await millrace.enqueue(makeInvoice, { order, cents }, { id: `invoice-${order}` });
      response.status(202).json({ id: job.id });
    } catch (error) {
      if (!MillraceError.is(error, "invalid-payload")) throw error;
      response.status(400).json({ error: error.message });
    }
  });
  return app;
}
