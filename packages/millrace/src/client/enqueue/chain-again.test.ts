import { defineJob } from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime, type TestRuntime } from "../../testing/test-runtime.ts";

const pack = defineJob<{ order: string }>({ name: "pack", queue: "packing" });
const bill = defineJob<{ order: string }>({ name: "bill", queue: "billing" });
const notify = defineJob({ name: "notify", queue: "notify", retry: "none" });

/** Two kinds of chains of one order, whose second jobs have one id in one queue. */
async function runtime(onNotify: (what: unknown) => unknown = (what) => `told: ${String(what)}`) {
  return createTestRuntime({
    jobs: [
      pack.handler(({ input }) => `packed ${input.order}`),
      bill.handler(({ input }) => `billed ${input.order}`),
      notify.handler(({ input }) => onNotify(input)),
    ],
  });
}

/** Whether it is still waited for after a while. */
async function isOpen(t: TestRuntime, result: Promise<unknown> | undefined): Promise<boolean> {
  let isSettled = false;
  const settled = (): void => void (isSettled = true);
  result?.then(settled, settled);
  await t.clock.advance("1m");
  return !isSettled;
}

test("a chain's result is its own, where another's second job had the same id", async () => {
  await using t = await runtime();
  const first = await t.client.chain(pack, { order: "7" }, { id: "o-7" }).next(notify).enqueue();
  await t.drain();
  expect(await first.result()).toBe("told: packed 7");

  await t.clock.advance("1s");
  await t.client.queues.pause("notify");
  const second = await t.client.chain(bill, { order: "7" }, { id: "o-7" }).next(notify).enqueue();
  const [result, told] = [second.result(), second.jobs[1]?.result()];
  expect(await isOpen(t, result)).toBe(true);
  expect(await isOpen(t, told)).toBe(true);
  await t.client.queues.resume("notify");
  await t.drain();
  expect(await Promise.all([result, told])).toEqual(["told: billed 7", "told: billed 7"]);
  expect(await first.result()).toBe("told: packed 7");
  expect(await first.jobs[1]?.result()).toBe("told: packed 7");
});

test("a chain that is enqueued again under its id, with once: false, waits for its own jobs", async () => {
  await using t = await runtime();
  const chain = (order: string) =>
    t.client.chain(pack, { order }, { id: "o-7", once: false }).next(notify).enqueue();
  const first = await chain("old");
  await t.drain();
  await t.clock.advance("1h");
  await t.client.queues.pause("packing");
  const second = await chain("new");
  const result = second.result();
  expect(await isOpen(t, result)).toBe(true);
  await t.client.queues.resume("packing");
  await t.drain();
  expect(await result).toBe("told: packed new");
  expect(await first.result()).toBe("told: packed old");
});

test("chains that go on in the same millisecond are told apart", async () => {
  await using t = await runtime();
  await t.enqueue(bill, { order: "6" });
  await t.drain();
  const packed = await t.client.chain(pack, { order: "7" }, { id: "o-7" }).next(notify).enqueue();
  const billed = await t.client.chain(bill, { order: "7" }, { id: "o-7" }).next(notify).enqueue();
  await t.drain();
  const marks = (await t.broker.history.read({ id: "o-7:2" })).map(({ createdAt }) => createdAt);
  expect(new Set(marks).size).toBe(1);
  expect(await packed.result()).toBe("told: packed 7");
  expect(await billed.result()).toBe("told: billed 7");
});

test("a later job of a chain that died before its turn is told as the chain's end is", async () => {
  await using t = await runtime();
  const lost = defineJob({ name: "pack", queue: "packing", retry: "none" });
  await t.client.chain(pack, { order: "7" }, { id: "o-7" }).next(notify).enqueue();
  await t.drain();
  await t.clock.advance("1h");
  const again = await t.client.chain(lost, null, { id: "o-7", once: false }).next(notify).enqueue();
  await t.drain();
  await expect(again.result()).rejects.toMatchObject({ code: "handler-failed" });
  await expect(again.jobs[1]?.result()).rejects.toMatchObject({ code: "handler-failed" });
});

test("a later job of a chain is cancelled where its turn has come, and no other of its id", async () => {
  await using t = await runtime();
  await t.client.chain(pack, { order: "7" }, { id: "o-7" }).next(notify).enqueue();
  await t.drain();
  await t.client.queues.pause("billing");
  await t.client.queues.pause("notify");
  const chain = await t.client.chain(bill, { order: "7" }, { id: "o-7" }).next(notify).enqueue();
  await t.clock.advance("10s");
  await expect(chain.jobs[1]?.cancel()).rejects.toMatchObject({ code: "job-not-found" });
  await t.client.queues.resume("billing");
  await t.clock.advance("10s");
  expect(await chain.jobs[1]?.cancel("no more")).toMatchObject({ state: "cancelling" });
  await t.client.queues.resume("notify");
  await t.drain();
  await expect(chain.result()).rejects.toMatchObject({ code: "cancelled" });
});
