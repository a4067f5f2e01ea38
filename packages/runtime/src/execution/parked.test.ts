import { defineJob, snooze, UNSETTLED } from "@millrace/core";
import { expect, test } from "vitest";
import { latch, QUEUE, simulatedNode } from "../fixtures/simulated-node.ts";

const DAY_MS = 86_400_000;

type Options = Partial<Parameters<typeof simulatedNode>[0]>;

/** A queue with room for five, whose jobs of one key run one at a time until they are let. */
async function smallQueue(options: Options = {}) {
  const release = latch();
  const plain = defineJob({ name: "plain", queue: QUEUE }).handler(() => "done");
  const failing = defineJob({
    name: "failing",
    queue: QUEUE,
    retry: { attempts: 3, base: "1h", jitter: false },
  }).handler(() => {
    throw new Error("not yet");
  });
  const snoozing = defineJob({ name: "snoozing", queue: QUEUE }).handler(() => snooze("1h"));
  const capped = defineJob<string>({
    name: "capped",
    queue: QUEUE,
    concurrency: { key: (key) => key, limit: 1 },
  }).handler(() => release.promise);
  const node = await simulatedNode({
    jobs: [plain, failing, snoozing, capped],
    queues: { [QUEUE]: { settings: { maxJobs: 5 } } },
    slots: 4,
    ...options,
  });
  const { broker, clock, enqueue } = node;
  let sent = 0;
  const send = async (
    count: number,
    name: string,
    fields: object = {},
    payload: unknown = null,
  ) => {
    for (let each = 0; each < count; each += 1) {
      await enqueue(name, payload, { id: `j${sent}`, ...fields });
      sent += 1;
      await clock.advance(10);
    }
  };
  const later = (count: number) => send(count, "plain", { notBefore: clock.now() + 300 * DAY_MS });
  const counts = async () => {
    const { delayed, blocked, dead } = await broker.queues.snapshot(QUEUE);
    return { delayed, blocked, dead };
  };
  return { ...node, release, send, later, counts };
}

test("a producer parks no more jobs for later than its queue takes: the others are dead letters that say why", async () => {
  const { later, counts, broker, send, history } = await smallQueue();
  await later(12);
  expect(await counts()).toEqual({ delayed: 5, blocked: 0, dead: 7 });
  const [letter] = await broker.deadLetters.list({ queue: QUEUE });
  expect(letter).toMatchObject({
    reason: "parked-full",
    attempts: 0,
    error: {
      type: "parked-full",
      message: expect.stringContaining(`millrace queues set ${QUEUE} --max-parked`) as string,
    },
  });
  await send(1, "plain", { id: "now" });
  expect((await history("now")).at(-1)).toMatchObject({ state: "succeeded" });
});

test("what the nodes' option says counts before the queue's room, and what an operator sets before both", async () => {
  const { later, counts, broker, clock } = await smallQueue({
    queues: { [QUEUE]: { settings: { maxJobs: 5 }, maxParked: 7 } },
  });
  await later(9);
  expect(await counts()).toMatchObject({ delayed: 7, dead: 2 });
  const controls = await broker.documents("controls");
  await controls.put(QUEUE, { maxParked: 8 }, 0);
  await clock.advance("1s");
  await later(3);
  expect(await counts()).toMatchObject({ delayed: 8, dead: 4 });
  await controls.put(QUEUE, { maxParked: 0 });
  await clock.advance("1s");
  await later(1);
  expect(await counts()).toMatchObject({ delayed: 8, dead: 5 });
});

test("retries and snoozes are never refused, and take no room from producers", async () => {
  const { send, later, counts } = await smallQueue();
  await send(8, "failing");
  await send(8, "snoozing");
  expect(await counts()).toEqual({ delayed: 16, blocked: 0, dead: 0 });
  await later(5);
  expect(await counts()).toEqual({ delayed: 21, blocked: 0, dead: 0 });
  await later(1);
  expect(await counts()).toEqual({ delayed: 21, blocked: 0, dead: 1 });
  await send(1, "failing");
  expect(await counts()).toEqual({ delayed: 22, blocked: 0, dead: 1 });
});

test("room that has come free is found within a second", async () => {
  const { later, counts, broker, clock } = await smallQueue();
  await later(6);
  expect(await counts()).toMatchObject({ delayed: 5, dead: 1 });
  expect(await broker.delayed.move("j0", QUEUE, "now")).toBe(true);
  await clock.advance("1s");
  await later(2);
  expect(await counts()).toMatchObject({ delayed: 5, dead: 2 });
});

test("jobs that are blocked at a gate fill the queue in turn: none is lost, and its producers are told", async () => {
  const { send, counts, broker, release, clock, history } = await smallQueue();
  // One runs, five are blocked, three wait in the node's four slots, five lie in the queue with the
  // four that are in its hands.
  await expect(send(20, "capped", {}, "a")).rejects.toThrow(/ok/);
  const { blocked, dead } = await counts();
  expect({ blocked, dead }).toEqual({ blocked: 5, dead: 0 });
  const { queued, running } = await broker.queues.snapshot(QUEUE);
  expect({ queued, running }).toEqual({ queued: 1, running: 4 });
  release.open();
  await clock.advance("2m");
  expect(await broker.queues.snapshot(QUEUE)).toMatchObject({
    ...{ queued: 0, running: 0, blocked: 0, dead: 0 },
  });
  for (let id = 0; id < 10; id += 1)
    expect((await history(`j${id}`)).at(-1)).toMatchObject({ state: "succeeded" });
});

test("a job that has run waits at its gate again, quota or not", async () => {
  const { send, counts, clock, broker } = await smallQueue({
    queues: { [QUEUE]: { settings: { maxJobs: 5 }, maxParked: 1 } },
  });
  await send(2, "capped", {}, "a");
  expect(await counts()).toMatchObject({ blocked: 1 });
  for (const id of ["again-1", "again-2"])
    await broker.requeue({
      ...UNSETTLED,
      ...{ id, name: "capped", queue: QUEUE, payload: "a", headers: {} },
      ...{ createdAt: clock.now(), attempts: 1, generation: 1 },
    });
  await clock.advance("1s");
  expect(await counts()).toMatchObject({ blocked: 3, dead: 0 });
});

test("what waits for room at a gate goes back when the queue is paused, and is not blocked once a node stops", async () => {
  const { send, counts, broker, clock, node, history } = await smallQueue({
    queues: { [QUEUE]: { maxParked: 0 } },
  });
  await send(4, "capped", {}, "a");
  await clock.advance("5s");
  expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ running: 4, blocked: 0 });
  const controls = await broker.documents("controls");
  await controls.put(QUEUE, { paused: { since: 1 } }, 0);
  await clock.advance("1s");
  expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ running: 1, queued: 3, blocked: 0 });
  expect((await history("j1")).at(-1)).toMatchObject({ state: "requeued", outcome: "interrupted" });
  void node.stop();
  await clock.advance("1s");
  expect(await counts()).toMatchObject({ blocked: 0, dead: 0 });
});

test("what expires while it waits for room at a gate does not run any more", async () => {
  const { send, clock, release, said, history } = await smallQueue({
    queues: { [QUEUE]: { maxParked: 0 } },
  });
  await send(1, "capped", {}, "a");
  await send(1, "capped", { expiresAt: clock.now() + 5_000 }, "a");
  await clock.advance("10s");
  expect((await history("j1")).at(-1)).toMatchObject({ state: "expired" });
  release.open();
  await clock.advance("1s");
  expect(said).not.toContain("started j1");
});
