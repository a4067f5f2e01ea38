import { runNode, stopOnSignals } from "millrace";
import { pino } from "pino";
import { makeInvoiceWith } from "./make-invoice.ts";

const running = await runNode({
  jobs: [makeInvoiceWith({ print: (text) => Promise.resolve(`/invoices/${text.length}.pdf`) })],
  queues: { invoices: 4 }, // at most four at once on this node
  log: pino(),
  onNode: stopOnSignals,
});
await running.stopped;
