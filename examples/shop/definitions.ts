// What producers and workers share: the jobs of the shop, without their work.
import { type CancelledJob, type DeadJob, defineJob, defineSchedule } from "millrace";
import type { SucceededJob } from "millrace";

export interface Order {
  readonly id: string;
  readonly customer: string;
  readonly cents: number;
}

export interface Receipt {
  readonly receipt: string;
}

export type ChargeEnd = SucceededJob<Order, Receipt> | DeadJob<Order> | CancelledJob<Order>;

/** Told of each end of a charge, once, whoever was waiting for it. */
export const chargeEnded = defineJob<ChargeEnd>({ name: "shop.charge-ended", queue: "shop-ends" });

/** The bank may fail: four attempts. One charge at a time for each customer. */
export const charge = defineJob<Order, Order, Receipt>({
  name: "shop.charge",
  queue: "shop",
  retry: { attempts: 4, backoff: "exponential", base: "500ms" },
  concurrency: { key: ({ customer }) => customer, limit: 1 },
  onSucceeded: chargeEnded,
  onDead: chargeEnded,
  onCancelled: chargeEnded,
});

/** Told of each invoice that was made. */
export const invoiceMade = defineJob<SucceededJob<Order, string>>({
  name: "shop.invoice-made",
  queue: "shop-ends",
});

export const mail = defineJob<{ readonly order: string; readonly text: string }>({
  name: "shop.mail",
  queue: "shop-mail",
});

/** Yesterday's sales. No two of them at once, whatever a night brings. */
export const report = defineJob({ name: "shop.report", queue: "shop-mail", singleton: true });

export const nightly = defineSchedule({
  name: "shop-nightly",
  cron: "0 2 * * *",
  timezone: "Europe/Berlin",
  job: report,
});
