import { makeInvoice } from "./invoice.ts";

/** What the handler needs from outside; a test gives it something else. */
export interface Printer {
  print(text: string, options: { signal: AbortSignal }): Promise<string>;
}

export const makeInvoiceWith = (printer: Printer) =>
  makeInvoice.handler(async ({ input, signal, attempt, log, progress }) => {
    log.info({ attempt }, `the invoice of order ${input.order}`);
    progress(0.1, "printing");
    const file = await printer.print(`${input.order}: ${input.cents / 100} €`, { signal });
    return { file };
  });
