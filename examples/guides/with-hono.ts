import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import type { Millrace } from "millrace";
import { makeInvoice } from "./invoice.ts";

export function invoiceApp(millrace: Millrace): Hono {
  const app = new Hono();
  app.post("/invoices", async (context) => {
    const { order, cents } = await context.req.json<{ order: string; cents: number }>();
    const job = await millrace.enqueue(makeInvoice, { order, cents }, { id: `invoice-${order}` });
    return context.json({ id: job.id }, 202);
  });
  // The progress of a job, for an EventSource in a browser.
  app.get("/invoices/:id/progress", (context) =>
    streamSSE(context, async (stream) => {
      const ended = new AbortController();
      stream.onAbort(() => ended.abort());
      const job = millrace.handle(context.req.param("id"), makeInvoice.queue);
      for await (const report of job.progress({ signal: ended.signal }))
        await stream.writeSSE({ event: "progress", data: JSON.stringify(report) });
      const { state } = await job.status();
      await stream.writeSSE({ event: "end", data: state });
    }),
  );
  return app;
}
