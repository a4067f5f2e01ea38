import { expectTypeOf, test } from "vitest";
import type { RecordedError } from "../errors/recorded-error.ts";
import { defineJob } from "./define-job.ts";
import type { CancelledJob, DeadJob, SucceededJob } from "./outcome-jobs.ts";

interface Order {
  readonly order: string;
}
interface Receipt {
  readonly receipt: string;
}
type Charge = Parameters<typeof defineJob<Order, Order, Receipt>>[0];

const whole = defineJob<DeadJob<Order>>({ name: "whole" });
const little = defineJob<{ id: string; error: RecordedError }>({ name: "little" });
const untyped = defineJob({ name: "untyped" });
const every = defineJob<SucceededJob<Order, Receipt> | DeadJob<Order> | CancelledJob<Order>>({
  name: "every",
});

test("a job that takes what it is told, or less, may be told", () => {
  defineJob<Order>({ name: "a", onDead: whole });
  defineJob<Order>({ name: "a", onDead: little });
  defineJob<Order>({ name: "a", onDead: untyped, onCancelled: untyped, onSucceeded: untyped });
  defineJob<Order, Order, Receipt>({
    name: "a",
    onSucceeded: every,
    onDead: every,
    onCancelled: every,
  });
  defineJob<Order>({ name: "a", onDead: whole.handler(() => {}) });
  expectTypeOf<Charge["onDead"]>().not.toBeAny();
});

test("what a definition doesn't say is not held against the other", () => {
  const result = defineJob<{ result?: Receipt; payload?: Order }>({ name: "result" });
  defineJob({ name: "a", onSucceeded: result });
  defineJob<Order>({ name: "a", onSucceeded: result });
});

test("a job that needs something else is refused", () => {
  const others = defineJob<DeadJob<{ readonly invoice: number }>>({ name: "others" });
  // @ts-expect-error its payload is another one
  defineJob<Order>({ name: "a", onDead: others });
  const cancelled = defineJob<CancelledJob<Order>>({ name: "cancelled" });
  // @ts-expect-error it is told of cancellations
  defineJob<Order>({ name: "a", onDead: cancelled });
  const paid = defineJob<SucceededJob<Order, Receipt>>({ name: "paid" });
  // @ts-expect-error the result is another one
  defineJob<Order, Order, number>({ name: "a", onSucceeded: paid });
  const sure = defineJob<{ payload: Order }>({ name: "sure" });
  // @ts-expect-error the payload may be left out, where it doesn't fit
  defineJob<Order>({ name: "a", onDead: sure });
});

test("what the other takes does not decide what this one takes", () => {
  const job = defineJob({ name: "a", onDead: whole });
  expectTypeOf(job.name).toBeString();
  // @ts-expect-error no definition
  defineJob({ name: "a", onDead: "whole" });
});
