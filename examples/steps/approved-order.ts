import { defineJob, defineSignal, type ExecutionContext } from "millrace";
import { z } from "zod";

/** What the job needs from outside, so that a test can give it something else. */
export interface Shop {
  askManager(order: string, links: readonly string[], key: string): Promise<void>;
  charge(cents: number, key: string): Promise<{ readonly payment: string }>;
  ship(order: string, key: string): Promise<{ readonly parcel: string }>;
  refund(payment: string, key: string): Promise<void>;
}

const input = z.object({ order: z.string(), cents: z.number().int() });
export const order = defineJob({ name: "shop.order", queue: "orders", input, steps: true });
export const approval = defineSignal("approval", z.object({ ok: z.boolean(), by: z.string() }));

type Order = z.output<typeof input>;

/** Payment, a week for the manager's answer, shipping; what was paid is given back otherwise. */
export const orderIn = (shop: Shop, page: string) =>
  order.handler(async ({ input, job, step }: ExecutionContext<Order>) => {
    const { payment } = await step.run("charge", ({ key }) => shop.charge(input.cents, key));

    const links = ["yes", "no"].map((answer) => `${page}/${job.id}/${answer}`);
    await step.run("ask", ({ key }) => shop.askManager(input.order, links, key));
    const answer = await step.waitFor(approval, { timeout: "7d" });

    if (answer?.ok !== true) {
      await step.run("refund", ({ key }) => shop.refund(payment, key));
      return { state: answer === undefined ? "nobody answered" : `refused by ${answer.by}` };
    }
    const { parcel } = await step.run("ship", ({ key }) => shop.ship(input.order, key));
    return { state: `approved by ${answer.by}`, parcel };
  });
