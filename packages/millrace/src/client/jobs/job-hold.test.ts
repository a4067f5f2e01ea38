import { type AnyJob, defineJob, snooze } from "@millrace/core";
import { expect, onTestFinished, test } from "vitest";
import { createTestRuntime, type TestRuntime } from "../../testing/test-runtime.ts";
import type { JobHold } from "./job-hold.ts";

const invoice = defineJob<{ readonly tenant: string }>({
  ...{ name: "invoice.send", queue: "invoices" },
  concurrency: { key: ({ tenant }) => tenant, limit: 1 },
});
const report = defineJob({ name: "report", queue: "reports", singleton: true });
const sms = defineJob<{ readonly to: string }>({
  ...{ name: "sms.send", queue: "sms" },
  rateLimit: { key: ({ to }) => to, limit: 1, per: "1m" },
});
const flaky = defineJob({
  ...{ name: "flaky", queue: "flaky" },
  retry: { attempts: 2, base: "1m", jitter: false },
});
const sleepy = defineJob({ name: "sleepy", queue: "flaky" });
const plain = defineJob({ name: "plain", queue: "plain" });

/** Jobs that run until the test ends. */
async function fleet(
  of: readonly AnyJob[] | ((end: Promise<void>) => readonly unknown[]),
  more: object = {},
): Promise<{
  readonly t: TestRuntime;
  readonly holdOf: (id: string, queue: string) => Promise<JobHold | undefined>;
}> {
  const end = Promise.withResolvers<void>();
  const jobs = typeof of === "function" ? of(end.promise) : of;
  const t = await createTestRuntime({ jobs, ...more });
  onTestFinished(() => t.stop());
  onTestFinished(() => end.resolve());
  return {
    t,
    holdOf: async (id, queue) => (await t.client.job(id, { queue, hold: true })).hold,
  };
}

test("a job that waits for a key says whose turn it is, who has it since when, and how many are before it", async () => {
  const { t, holdOf } = await fleet((end) => [invoice.handler(() => end)]);
  for (const id of ["a-1", "a-2", "a-3"]) await t.enqueue(invoice, { tenant: "ann" }, { id });
  await t.clock.advance("1s");
  const [permit] = await t.client.locks.list({ prefix: "cap/invoices/" });
  expect(permit?.since).toEqual(expect.any(Number));
  expect(await holdOf("a-3", "invoices")).toEqual({
    ...{ kind: "gate", gate: "cap/invoices/ann", limit: "key-concurrency", key: "ann" },
    ...{ since: expect.any(Number), before: 1, waiting: 2, locks: [permit] },
    jobs: [
      {
        ...{ id: "a-1", queue: "invoices", name: "invoice.send", node: t.node.name },
        startedAt: expect.any(Number),
      },
    ],
  });
  expect(await holdOf("a-1", "invoices")).toBeUndefined();
  expect(await t.client.job("a-3", { queue: "invoices" })).not.toHaveProperty("hold");
});

test("a job that waits for a singleton says which job of which node has it", async () => {
  const { t, holdOf } = await fleet((end) => [report.handler(() => end)]);
  for (const id of ["r-1", "r-2"]) await t.enqueue(report, undefined, { id });
  await t.clock.advance("1s");
  expect(await holdOf("r-2", "reports")).toMatchObject({
    ...{ kind: "gate", gate: "singleton/report", limit: "singleton", key: "report", before: 0 },
    locks: [{ name: "singleton/report", holder: t.node.name, since: expect.any(Number) }],
    jobs: [{ id: "r-1", queue: "reports", node: t.node.name }],
  });
  await t.client.locks.release("singleton/report");
  expect(await holdOf("r-2", "reports")).toMatchObject({ locks: [] });
});

test("a job that waits for a time says until when, and why", async () => {
  const { t, holdOf } = await fleet([
    plain.handler(() => {}),
    sms.handler(() => {}),
    flaky.handler(() => {
      throw new Error("no");
    }),
    sleepy.handler(() => snooze("5m")),
  ]);
  await t.enqueue(plain, undefined, { id: "later", delay: "2h" });
  await t.enqueue(flaky, undefined, { id: "again" });
  await t.enqueue(sleepy, undefined, { id: "sleeps" });
  for (const id of ["s-1", "s-2"]) await t.enqueue(sms, { to: "ann" }, { id });
  await t.clock.advance("1s");
  const now = t.clock.now();
  const why = async (id: string, queue: string): Promise<readonly [unknown, number]> => {
    const hold = await holdOf(id, queue);
    if (hold?.kind !== "time") throw new Error(`${id}: ${JSON.stringify(hold)}`);
    return [hold.why, Math.round((hold.until - now) / 60_000)];
  };
  expect(await why("later", "plain")).toEqual(["delay", 120]);
  expect(await why("again", "flaky")).toEqual(["retry", 1]);
  expect(await why("sleeps", "flaky")).toEqual(["snooze", 5]);
  expect(await why("s-2", "sms")).toEqual(["key-rate", 1]);
});

test("a job at the front of a paused queue, a capped one, a rated one and a busy one says so", async () => {
  const { t, holdOf } = await fleet((end) => [plain.handler(() => end)], { slots: 2 });
  await t.client.queues.pause("plain", { by: "ada", reason: "the bank is away" });
  await t.enqueue(plain, undefined, { id: "p-1" });
  expect(await holdOf("p-1", "plain")).toMatchObject({
    ...{ kind: "paused", by: "ada", reason: "the bank is away", since: expect.any(Number) },
  });
  await t.client.queues.resume("plain");
  await t.clock.advance("5s");
  expect(await holdOf("p-1", "plain")).toBeUndefined();
  await t.client.queues.set("plain", { concurrency: 1 });
  await t.clock.advance("5s");
  await t.enqueue(plain, undefined, { id: "p-2" });
  await t.clock.advance("5s");
  expect(await holdOf("p-2", "plain")).toMatchObject({
    ...{ kind: "queue-concurrency", limit: 1, running: 1 },
  });
  await t.client.queues.set("plain", { concurrency: null, rate: { limit: 1, per: "1h" } });
  await t.clock.advance("5s");
  for (const id of ["p-3", "p-4"]) await t.enqueue(plain, undefined, { id });
  await t.clock.advance("5s");
  expect(await holdOf("p-4", "plain")).toMatchObject({
    ...{ kind: "queue-rate", limit: 1, perMs: 3_600_000 },
  });
  await t.client.queues.set("plain", { rate: null });
  await t.clock.advance("30s");
  for (const id of ["p-5", "p-6"]) await t.enqueue(plain, undefined, { id });
  await t.clock.advance("30s");
  expect(await holdOf("p-6", "plain")).toEqual({ kind: "slots", slots: 2, nodes: 1 });
});
