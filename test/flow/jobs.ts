import { setTimeout as sleep } from "node:timers/promises";
import { type BatchEnded, defineJob } from "millrace";

export const QUEUE = "flow";

export const member = defineJob<{ n: number }>({
  name: "flow.member",
  queue: QUEUE,
  retry: { attempts: 3, backoff: "fixed", base: "10ms", jitter: false },
});
/** In a queue of its own that the test's own node serves, so that it is seen to run once. */
export const report = defineJob<BatchEnded<string>>({ name: "flow.report", queue: "flow-report" });
export const double = defineJob<number, number, number>({ name: "flow.double", queue: QUEUE });

/** One in ten fails for good, one in ten once. */
export default member.handler(async ({ input: { n }, attempt }) => {
  await sleep(5);
  if (n % 10 === 3) throw new Error("always");
  if (n % 10 === 7 && attempt === 1) throw new Error("once");
  return n;
});
export const doubling = double.handler(async ({ input }) => {
  await sleep(5);
  return input * 2;
});
