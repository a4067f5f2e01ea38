// The work of the shop's jobs. What they need from outside is given to them, so that a test can
// give them something else.
import { type Duration, fatal } from "millrace";
import type { Bank } from "./bank.ts";
import { charge, chargeEnded, invoiceMade, mail, report } from "./definitions.ts";
import invoiceJob, { invoice } from "./invoice.ts";
import type { Books } from "./store.ts";

export interface Shop {
  readonly bank: Bank;
  readonly books: Books;
  /** How long after a payment the customer is thanked. */
  readonly thanksAfter: Duration;
}

export const shopJobs = ({ bank, books, thanksAfter }: Shop) => [
  charge.handler(async ({ input, job, attempt, signal, progress }) => {
    progress(0.5, `asking the bank, attempt ${attempt}`);
    const answer = await bank.charge(input, { key: job.id, signal });
    if ("refused" in answer) return fatal(answer.refused);
    progress(1, "paid");
    return answer;
  }),

  // Ids of their own: where this job is run again after a crash, nothing is enqueued twice.
  chargeEnded.handler(async ({ input: ended, enqueue }) => {
    const order = ended.payload;
    if (order === undefined) return;
    switch (ended.end) {
      case "succeeded":
        await books.paid(order.id, ended.result?.receipt ?? "");
        await enqueue(invoice, order, { id: `invoice-${order.id}` });
        return void (await enqueue(
          mail,
          { order: order.id, text: "Thank you!" },
          { id: `thanks-${order.id}`, delay: thanksAfter },
        ));
      case "cancelled":
        return books.failed(order.id, "cancelled");
      case "dead":
      case "expired":
        await books.failed(order.id, "unpaid");
        return void (await enqueue(
          mail,
          { order: order.id, text: `Your payment failed: ${ended.error.message}` },
          { id: `failed-${order.id}` },
        ));
    }
  }),

  invoiceJob,

  invoiceMade.handler(({ input }) => {
    const { payload: order, result = "" } = input;
    return order === undefined ? undefined : books.invoiced(order.id, result);
  }),

  mail.handler(({ input: { order, text } }) => books.mailed(order, text)),

  report.handler(({ job }) => {
    // The tick that the job stands for, however late it runs; by hand there is none.
    const tick = new Date(job.headers["schedule-tick"] ?? job.createdAt);
    return books.reported(tick.toISOString().slice(0, 10));
  }),
];
