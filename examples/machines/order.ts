import { defineJob, defineMachine, type ExecutionContext } from "millrace";
import { orderChart } from "./order-chart.ts";

/** What the jobs need from outside, so that a test can give them something else. */
export interface Shop {
  charge(cents: number, key: string): Promise<{ readonly payment: string }>;
  askManager(order: string, key: string): Promise<void>;
  ship(order: string, key: string): Promise<void>;
  refund(payment: string, key: string): Promise<void>;
}

type Input = { order: string; cents: number };
const queue = "orders";
const retry = { attempts: 3, backoff: "exponential", base: "1s" } as const;
const charge = defineJob<Input, Input, { payment: string }>({ name: "order.charge", queue, retry });
const ask = defineJob<{ order: string }>({ name: "order.ask", queue, retry });
const ship = defineJob<{ order: string }>({ name: "order.ship", queue, retry });
const refund = defineJob<{ payment: string }>({ name: "order.refund", queue, retry: "none" });

export const order = defineMachine({
  name: "order",
  machine: orderChart,
  jobs: { charge, ask, ship, refund },
});

/** A job's id is the same in each of its attempts: it is the key that its effect has. */
type Context<Of> = ExecutionContext<Of>;

export const orderJobs = (shop: Shop) => [
  charge.handler(({ input, job }: Context<Input>) => shop.charge(input.cents, job.id)),
  ask.handler(({ input, job }: Context<{ order: string }>) => shop.askManager(input.order, job.id)),
  ship.handler(({ input, job }: Context<{ order: string }>) => shop.ship(input.order, job.id)),
  refund.handler(({ input, job }: Context<{ payment: string }>) =>
    shop.refund(input.payment, job.id),
  ),
];
