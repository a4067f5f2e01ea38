// An invoice is computed in a thread: the node's other jobs go on meanwhile.
import { defineJob } from "millrace";
import { invoiceMade, type Order } from "./definitions.ts";

export const invoice = defineJob<Order, Order, string>({
  name: "shop.invoice",
  queue: "shop",
  isolation: "thread",
  module: import.meta.url,
  timeout: "1m",
  onSucceeded: invoiceMade,
});

export default invoice.handler(({ input: { id, customer, cents } }) =>
  [`Invoice for order ${id}`, `To ${customer}`, `${(cents / 100).toFixed(2)} EUR`].join("\n"),
);
