import {
  changeControls,
  CONTROLS_BUCKET,
  defineJob,
  readControls,
  writeSignal,
} from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test, vi } from "vitest";
import { latch, QUEUE, type SimulatedNode, simulatedNode } from "../fixtures/simulated-node.ts";
import { type PurgeOptions, purgeQueue, type PurgeResult } from "./purge-queue.ts";

const release = latch();
const job = defineJob({ name: "long", queue: QUEUE, timeout: "1h" }).handler(() => release.promise);

async function purge(
  node: SimulatedNode,
  options: Pick<PurgeOptions, "delayed" | "name" | "signal"> = {},
): Promise<PurgeResult> {
  const { broker, clock } = node;
  const purging = purgeQueue({
    broker,
    clock,
    queue: QUEUE,
    by: "test",
    ...options,
  });
  await clock.advance("5s");
  return purging;
}

async function paused({ broker }: SimulatedNode): Promise<unknown> {
  const document = await (await broker.documents(CONTROLS_BUCKET)).get(QUEUE);
  return readControls(document?.value).controls.paused;
}

test("cancels what waits, with a record; what runs ends well, what is delayed stays, and the queue goes on", async () => {
  const node = await simulatedNode({ jobs: [job], slots: 2 });
  const { clock, broker } = node;
  await node.enqueue("long", 1, { id: "runs-1" });
  await node.enqueue("long", 2, { id: "runs-2" });
  for (let n = 0; n < 50; n += 1) await node.enqueue("long", n, { id: `waits-${n}` });
  await node.enqueue("long", 0, { id: "later", notBefore: clock.now() + 60_000 });
  expect(await purge(node, { name: "purger" })).toEqual({
    cancelled: 50,
    dead: 0,
    deferred: 1,
    queued: 0,
    blocked: 0,
    delayed: 1,
    running: 2,
  });
  expect(await node.history("waits-17")).toMatchObject([
    { state: "cancelled", outcome: "cancelled", reason: "purged", attempts: 0, node: "purger" },
  ]);
  expect(await paused(node)).toBeUndefined();
  release.open();
  await clock.advance("1s");
  expect(await node.history("runs-2")).toMatchObject([{ state: "succeeded" }]);
  await clock.advance("1m");
  expect((await node.history("later")).map(({ state }) => state)).toEqual([
    "requeued",
    "succeeded",
  ]);
  expect(await broker.deadLetters.list()).toEqual([]);
});

test("with delayed jobs too, whether a node has moved them yet or not", async () => {
  const node = await simulatedNode({ jobs: [job] });
  const { clock, broker } = node;
  const store = await broker.documents(CONTROLS_BUCKET);
  for (let n = 0; n < 30; n += 1)
    await node.enqueue("long", n, { id: `moved-${n}`, notBefore: clock.now() + 60_000 + n });
  await changeControls(store, QUEUE, { paused: { since: 1 } });
  await node.enqueue("long", 1, { id: "in-the-queue", notBefore: clock.now() + 60_000 });
  expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 1, delayed: 30 });
  expect(await purge(node, { delayed: true })).toMatchObject({ cancelled: 31, delayed: 0 });
  expect(await node.history("in-the-queue")).toMatchObject([{ reason: "purged" }]);
});

test("steps and signals of a purged job are forgotten: the next job of its id takes none of them", async () => {
  const waiting = defineJob({ name: "steps", queue: QUEUE, steps: true }).handler(
    async ({ step }) => {
      await step.run("first", () => "a result");
      await step.sleep("a while", "1h");
      return (await step.waitFor("approval", { timeout: "1m" })) ?? "nobody answered";
    },
  );
  const node = await simulatedNode({ jobs: [waiting] });
  const { clock, broker } = node;
  const createdAt = clock.now();
  await node.enqueue("steps");
  await clock.advance("10m");
  await broker.signals.send({ id: "a", queue: QUEUE, name: "approval" }, writeSignal("yes", "s1"));
  await clock.advance("5s");
  expect(await broker.journal.read({ id: "a", queue: QUEUE, createdAt })).not.toEqual([]);
  expect(await purge(node, { delayed: true })).toMatchObject({ cancelled: 1 });
  expect(await broker.journal.read({ id: "a", queue: QUEUE, createdAt })).toEqual([]);
  await clock.advance("20s");
  await node.enqueue("steps");
  await clock.advance("2h");
  expect((await node.history()).at(-1)).toMatchObject({ output: "nobody answered" });
});

test("what waits at a gate waits too", async () => {
  const single = latch();
  const singleton = defineJob({ name: "single", queue: QUEUE, singleton: true });
  const node = await simulatedNode({ jobs: [singleton.handler(() => single.promise)] });
  for (let n = 0; n < 10; n += 1) await node.enqueue("single", n, { id: `s-${n}` });
  expect(await node.broker.queues.snapshot(QUEUE)).toMatchObject({ running: 1, blocked: 9 });
  expect(await purge(node)).toMatchObject({ cancelled: 9, queued: 0, running: 1 });
  single.open();
  await node.clock.advance("1s");
  expect((await node.history("s-0")).at(-1)).toMatchObject({ state: "succeeded" });
  expect((await node.history("s-7")).at(-1)).toMatchObject({ reason: "purged" });
});

test("a job that still runs where its message is handed out again is not purged", async () => {
  const hold = latch();
  const begun: string[] = [];
  const held = defineJob({ name: "held", queue: QUEUE }).handler(({ job: { id } }) => {
    begun.push(id);
    return hold.promise;
  });
  const node = await simulatedNode({ jobs: [held], slots: 1 });
  await node.enqueue("held", 1, { id: "runs" });
  await node.enqueue("held", 2, { id: "waits" });
  expect(begun).toEqual(["runs"]);
  // Its holder hears of that at its next extension.
  node.broker.loseLeases(QUEUE);
  expect(await purge(node)).toMatchObject({ cancelled: 1, queued: 0, running: 1 });
  expect(await node.history("waits")).toMatchObject([{ reason: "purged" }]);
  expect(await node.history("runs")).toEqual([]);
  hold.open();
  await node.clock.advance("1m");
  expect(await node.history("runs")).toMatchObject([{ state: "succeeded" }]);
});

test("a job that is handed out again and runs nowhere is purged, though another of its id runs", async () => {
  const hold = latch();
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const [held, other] = [QUEUE, "other"].map((queue) =>
    defineJob({ name: "held", queue }).handler(() => hold.promise),
  );
  if (held === undefined || other === undefined) throw new Error("two jobs");
  const crashed = await simulatedNode({ jobs: [held], clock, server });
  await crashed.enqueue("held");
  crashed.broker.crashHolder();
  await clock.advance("31s");
  const node = await simulatedNode({ jobs: [other], clock, server, name: "n2" });
  await node.enqueue("held", 1, { queue: "other" });
  expect(await purge(node)).toMatchObject({ cancelled: 1, queued: 0, running: 0 });
  hold.open();
});

test("a queue that was paused before is paused afterwards, by whoever paused it", async () => {
  const node = await simulatedNode({ jobs: [job] });
  const store = await node.broker.documents(CONTROLS_BUCKET);
  const mark = { since: 5, by: "ada" };
  await changeControls(store, QUEUE, { paused: mark });
  await node.enqueue("long");
  expect(await purge(node)).toMatchObject({ cancelled: 1 });
  expect(await paused(node)).toEqual(mark);
});

test("a pause that is said while it purges stands", async () => {
  const node = await simulatedNode({ jobs: [job] });
  const store = await node.broker.documents(CONTROLS_BUCKET);
  const purging = purgeQueue({ broker: node.broker, clock: node.clock, queue: QUEUE });
  await new Promise((resolve) => setImmediate(resolve));
  await changeControls(store, QUEUE, { paused: { since: 7 } });
  await node.clock.advance("1s");
  await purging;
  expect(await paused(node)).toEqual({ since: 7 });
});

test("ended early it restores the queue", async () => {
  const node = await simulatedNode({ jobs: [job] });
  expect(await purge(node, { signal: AbortSignal.abort() })).toMatchObject({ queued: 0 });
  expect(await paused(node)).toBeUndefined();
});

test("a queue that does not exist is not paused", async () => {
  const broker = new MemoryBroker();
  onTestFinished(() => broker.close());
  const { clock } = await simulatedNode({ jobs: [job] });
  await expect(purgeQueue({ broker, clock, queue: "nowhere" })).rejects.toMatchObject({
    code: "queue-not-found",
  });
  expect(await (await broker.documents(CONTROLS_BUCKET)).list()).toEqual([]);
});

test("ends where nothing changes any more: a killed server leaves a message that nobody is handed", async () => {
  const end = latch();
  const waiting = defineJob({ name: "long", queue: QUEUE }).handler(() => end.promise);
  const node = await simulatedNode({ jobs: [waiting], slots: 1 });
  const { clock, broker } = node;
  for (let n = 0; n < 5; n += 1) await node.enqueue("long", n, { id: `waits-${n}` });
  const snapshot = broker.queues.snapshot.bind(broker.queues);
  vi.spyOn(broker.queues, "snapshot").mockImplementation(async (queue) => {
    const found = await snapshot(queue);
    return { ...found, queued: found.queued + 1 };
  });
  const purging = purgeQueue({ broker, clock, queue: QUEUE });
  await clock.advance("40s");
  expect(await purging).toMatchObject({ cancelled: 4, queued: 1 });
  expect(await paused(node)).toBeUndefined();
  end.open();
});
