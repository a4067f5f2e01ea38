import { defineJob, type Millrace } from "millrace";

/**
 * One tenant's invoices are sent two at a time, over all nodes, so that whoever has a million of
 * them leaves room for the others; and no faster than their mail provider takes them.
 */
export const sendInvoice = defineJob<{ tenant: string; invoice: number }>({
  name: "invoice.send",
  queue: "invoices",
  concurrency: { key: ({ tenant }) => tenant, limit: 2 },
  rateLimit: { key: ({ tenant }) => tenant, limit: 50, per: "1m" },
});

/**
 * The month's figures, counted by one node at a time: a second run that finds one under way isn't
 * needed.
 */
export const monthlyReport = defineJob({
  name: "report.monthly",
  queue: "invoices",
  singleton: { onBusy: "skip" },
});

export function sendAll(millrace: Millrace, tenant: string, invoices: number) {
  return millrace.enqueueMany(
    sendInvoice,
    Array.from({ length: invoices }, (_, invoice) => ({ input: { tenant, invoice } })),
  );
}
