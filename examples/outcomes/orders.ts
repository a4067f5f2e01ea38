import { type CancelledJob, type DeadJob, defineJob, fatal, type SucceededJob } from "millrace";

interface Order {
  readonly order: string;
  readonly cents: number;
}

/** One job that is told of every end. Its queue is its own: no producer publishes there. */
export const ended = defineJob<SucceededJob<Order> | DeadJob<Order> | CancelledJob<Order>>({
  name: "orders.ended",
  queue: "orders-ended",
});

export const charge = defineJob<Order>({
  name: "orders.charge",
  queue: "orders",
  retry: { attempts: 3, backoff: "fixed", base: "1m" },
  onSucceeded: ended,
  onDead: ended,
  onCancelled: ended,
});

export const charging = charge.handler(({ input }) => {
  if (input.cents > 100_000) return fatal("the card was declined");
  return { receipt: `r-${input.order}` };
});

/** What the customer reads. */
export const telling = (send: (order: string, text: string) => void) =>
  ended.handler(({ input }) => {
    const order = input.payload?.order ?? input.id;
    switch (input.end) {
      case "succeeded":
        return send(order, "is paid");
      case "cancelled":
        return send(order, `was cancelled: ${input.reason}`);
      case "dead":
      case "expired":
        return send(order, `could not be paid: ${input.error.message}`);
    }
  });
