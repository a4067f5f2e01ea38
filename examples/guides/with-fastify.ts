import Fastify, { type FastifyInstance } from "fastify";
import type { Millrace } from "millrace";
import { makeInvoice } from "./invoice.ts";

export function invoiceServer(millrace: Millrace): FastifyInstance {
  const app = Fastify();
  app.post<{ Body: { order: string; cents: number } }>("/invoices", async (request, reply) => {
    const { order, cents } = request.body;
    const job = await millrace
      .with({ timeout: "2s" })
      .enqueue(makeInvoice, { order, cents }, { id: `invoice-${order}` });
    return reply.code(202).send({ id: job.id });
  });
  app.get("/readyz", async (_request, reply) => {
    const health = await millrace.health();
    return reply.code(health.ready ? 200 : 503).send(health);
  });
  app.addHook("onClose", () => millrace.close());
  return app;
}
