import { defineJob, defineSchedule } from "millrace";

export interface Order {
  readonly order: string;
  readonly item: string;
  readonly card: string;
}

/** Takes the money. The bank is often busy at first; a stolen card will never pay. */
export const charge = defineJob<Order>({
  name: "order.charge",
  queue: "payments",
  retry: { attempts: 3, backoff: "fixed", base: "300ms", jitter: false },
});

/** Enqueued by `charge`, to run a moment later: an order may still be withdrawn. */
export const ship = defineJob<{ order: string; item: string }>({
  name: "order.ship",
  queue: "warehouse",
});

export const countStock = defineJob<{ shelf: string }>({
  name: "stock.count",
  queue: "warehouse",
});

export const everyTwoSeconds = defineSchedule({
  name: "stock",
  cron: "*/2 * * * * *",
  job: countStock,
  input: { shelf: "A" },
});
