// The work of the shop's jobs. What they need from outside is given to them, so that a test can
// give them something else.
import { type Duration, fatal, type TransactionalDatabase } from "millrace";
import type { Outbox } from "millrace/outbox";
import type { Bank } from "./bank.ts";
import { charge, chargeEnded, invoiceMade, mail, report } from "./definitions.ts";
import invoiceJob, { invoice } from "./invoice.ts";
import type { Books } from "./store.ts";

export interface Shop {
  readonly bank: Bank;
  /** What a job writes there is written once, together with the jobs that it enqueues. */
  readonly books: TransactionalDatabase<Books, Outbox>;
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

  // However often this job is run: the order is paid once, and the customer has one mail.
  chargeEnded.handler(async ({ input: ended, transaction }) => {
    const order = ended.payload;
    if (order === undefined) return;
    await transaction(books, async (write, outbox) => {
      switch (ended.end) {
        case "succeeded": {
          await write.paid(order.id, ended.result?.receipt ?? "");
          await outbox.enqueue(invoice, order);
          const thanks = { order: order.id, text: "Thank you!" };
          return void (await outbox.enqueue(mail, thanks, { delay: thanksAfter }));
        }
        case "cancelled":
          return write.failed(order.id, "cancelled");
        case "dead":
        case "expired": {
          await write.failed(order.id, "unpaid");
          const text = `Your payment failed: ${ended.error.message}`;
          return void (await outbox.enqueue(mail, { order: order.id, text }));
        }
      }
    });
  }),

  invoiceJob,

  invoiceMade.handler(async ({ input, transaction }) => {
    const { payload: order, result = "" } = input;
    if (order !== undefined) await transaction(books, (write) => write.invoiced(order.id, result));
  }),

  mail.handler(({ input: { order, text }, transaction }) =>
    transaction(books, (write) => write.mailed(order, text)),
  ),

  report.handler(({ job, transaction }) => {
    // The tick that the job stands for, however late it runs; by hand there is none.
    const tick = new Date(job.headers["schedule-tick"] ?? job.createdAt);
    const day = tick.toISOString().slice(0, 10);
    return transaction(books, (write) => write.reported(day));
  }),
];
