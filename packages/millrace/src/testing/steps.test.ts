import { defineJob, type Steps } from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime } from "./test-runtime.ts";

const order = defineJob<{ sku: string }>({
  name: "order",
  queue: "orders",
  steps: true,
  retry: "none",
});

/** A runtime whose one job has this handler; it keeps what the steps did. */
async function scene(handle: (step: Steps, did: string[]) => unknown) {
  const did: string[] = [];
  const t = await createTestRuntime({
    jobs: [order.handler(({ step }) => handle(step, did))],
  });
  return { t, did };
}

test("an hour's sleep takes no time, and the job's steps are shown until it has ended", async () => {
  const { t, did } = await scene(async (step, done) => {
    const payment = await step.run("charge", () => ({ id: "p-1" }));
    await step.sleep("an hour", "1h");
    await step.run("ship", () => done.push(`ship for ${payment.id}`));
  });
  await using _ = t;
  const handle = await t.enqueue(order, { sku: "a" });
  await t.clock.advance("1s");
  const asleep = await t.assertState(handle, "delayed");
  expect(asleep.steps).toMatchObject([
    { name: "charge", n: 0, state: "done", result: { id: "p-1" } },
    { name: "an hour", n: 0, state: "sleeping", until: t.clock.now() - 1_000 + 3_600_000 },
  ]);
  await t.drain();
  const ended = await t.assertSucceeded(handle);
  expect(ended.steps).toBeUndefined();
  expect(ended.attempts).toBe(1);
  expect(did).toEqual(["ship for p-1"]);
});

test("a dead job that is retried goes on after its recorded steps; a recorded failure is tried anew", async () => {
  let stock = 0;
  const { t, did } = await scene(async (step, done) => {
    await step.run("charge", () => done.push("charge"));
    try {
      await step.run("reserve", () => {
        done.push("reserve");
        if (stock === 0) throw new Error("out of stock");
      });
    } catch (error) {
      await step.run("tell", () => done.push("tell"));
      throw error;
    }
  });
  await using _ = t;
  await t.enqueue(order, { sku: "a" }, { id: "o1" });
  await t.clock.advance("1s");
  const dead = await t.assertDead("o1");
  expect(dead.error).toMatchObject({ message: "out of stock" });
  expect(dead.steps?.map(({ name, state }) => `${name} ${state}`)).toEqual([
    "charge done",
    "reserve failed",
    "tell done",
  ]);
  await t.client.dead.retry({ id: "o1" });
  await t.clock.advance("1s");
  expect(did).toEqual(["charge", "reserve", "tell", "reserve"]);
  await t.assertDead("o1");
  stock = 1;
  await t.client.dead.retry({ id: "o1" });
  await t.clock.advance("1s");
  expect(did).toEqual(["charge", "reserve", "tell", "reserve", "reserve"]);
  // What an earlier life did on another way is not held against this one.
  await t.assertSucceeded("o1");
});

test("steps of a dead job that is discarded are forgotten", async () => {
  const { t, did } = await scene(async (step, done) => {
    await step.run("charge", () => done.push("charge"));
    throw new Error("no");
  });
  await using _ = t;
  const handle = await t.enqueue(order, { sku: "a" }, { id: "o1" });
  await t.clock.advance("1s");
  const { history } = await handle.status();
  const run = { id: "o1", queue: "orders", createdAt: history[0]?.createdAt ?? 0 };
  expect(await t.broker.journal.read(run)).toHaveLength(1);
  await t.client.dead.discard({ id: "o1" });
  expect(await t.broker.journal.read(run)).toEqual([]);
  expect(did).toEqual(["charge"]);
});

test("a job that sleeps can be cancelled, and its steps are forgotten", async () => {
  const { t, did } = await scene(async (step, done) => {
    await step.run("charge", () => done.push("charge"));
    await step.sleep("an hour", "1h");
    done.push("after");
  });
  await using _ = t;
  const handle = await t.enqueue(order, { sku: "a" });
  await t.clock.advance("1s");
  const run = { id: handle.id, queue: "orders", createdAt: t.clock.now() - 1_000 };
  expect(await t.broker.journal.read(run)).toHaveLength(2);
  await handle.cancel("not wanted");
  await t.clock.advance("1m");
  await t.assertState(handle, "cancelled");
  expect(await t.broker.journal.read(run)).toEqual([]);
  expect(did).toEqual(["charge"]);
});

test("an id that is used again is another job, with steps of its own", async () => {
  const { t, did } = await scene(async (step, done) => {
    await step.run("charge", () => done.push("charge"));
    if (done.length === 1) throw new Error("no");
  });
  await using _ = t;
  await t.enqueue(order, { sku: "a" }, { id: "o1" });
  await t.clock.advance("1h");
  await t.assertDead("o1");
  await t.enqueue(order, { sku: "b" }, { id: "o1", once: false });
  await t.clock.advance("1h");
  await t.assertSucceeded("o1");
  expect(did).toEqual(["charge", "charge"]);
});
