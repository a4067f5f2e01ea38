import { defineJob, type Duration, MillraceError, readEnvelope, UNSETTLED } from "@millrace/core";
import { MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, test, vi } from "vitest";
import { latch, makeNode, QUEUE, simulatedNode } from "../fixtures/simulated-node.ts";

const NO_ANSWER = new MillraceError("publish-timeout", "no answer");
const ROOM = 10;

/**
 * Jobs of two queues that count their runs, each with ten places and all of them taken by chains.
 */
async function crowd(next: readonly { name: string; queue: string; id: string }[][]) {
  const runs: string[] = [];
  const open = latch();
  const here = defineJob({ name: "t.here", queue: QUEUE, retry: "none" }).handler(
    async ({ job }) => {
      runs.push(job.id);
      await open.promise;
      return job.id;
    },
  );
  const there = defineJob({ name: "t.there", queue: "other", retry: "none" }).handler(({ job }) => {
    runs.push(job.id);
    return job.id;
  });
  const made = makeNode({ jobs: [here, there], slots: ROOM, grace: "2s" });
  await made.broker.queues.ensure(QUEUE, { maxJobs: ROOM });
  await made.broker.queues.ensure("other", { maxJobs: ROOM });
  await made.node.start();
  for (const [n, links] of next.entries())
    await made.enqueue("t.here", null, { id: `c${n}`, next: links });
  expect(runs).toHaveLength(ROOM);
  return { ...made, runs, open };
}

const chains = (...queues: readonly string[]) =>
  Array.from({ length: ROOM }, (_, n) =>
    queues.map((queue, link) => ({
      name: queue === QUEUE ? "t.here" : "t.there",
      queue,
      id: `c${n}:${link + 2}`,
    })),
  );

const once = (runs: readonly string[]) => new Set(runs).size === runs.length;

test("a full queue of chains that go on in it comes to its end, and no handler runs twice", async () => {
  const { clock, broker, runs, open } = await crowd(chains(QUEUE, QUEUE));
  open.open();
  await clock.advance("20s");
  expect(runs).toHaveLength(3 * ROOM);
  expect(once(runs)).toBe(true);
  expect(await broker.queues.snapshot(QUEUE)).toMatchObject({
    queued: 0,
    running: 0,
    delayed: 0,
    dead: 0,
  });
});

test("so do two full queues whose chains go from the one to the other and back", async () => {
  const { clock, broker, runs, open } = await crowd(chains("other", QUEUE, "other"));
  // Nobody serves its jobs: what stands there takes all the room for the next links.
  for (let n = 0; n < ROOM; n += 1)
    await broker.requeue({
      id: `stands${n}`,
      name: "t.there",
      queue: "other",
      payload: null,
      createdAt: clock.now(),
      headers: {},
      attempts: 0,
      generation: 0,
      interruptions: 0,
      crashes: 0,
      snoozes: 0,
    });
  open.open();
  await clock.advance("20s");
  expect(runs).toHaveLength(4 * ROOM + ROOM);
  expect(once(runs)).toBe(true);
});

test("a graceful stop beside a full queue repeats no handler that has succeeded", async () => {
  const { clock, broker, node, runs, open } = await crowd(chains(QUEUE));
  open.open();
  const stopped = node.stop();
  await clock.advance("2s");
  await stopped;
  expect((await broker.queues.snapshot(QUEUE)).running).toBe(0);
  const records = await broker.history.recent({ queue: QUEUE, limit: 100 });
  expect(records.map(({ state }) => state)).toEqual(Array(ROOM).fill("succeeded"));
  expect(once(runs)).toBe(true);
});

/**
 * A chain of two over two queues; the holder of the first job dies right before a step of its
 * settlement, and is followed after a while.
 */
async function deadHolder(before: "enqueue" | "ack", output: unknown, awayFor: Duration) {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const inputs: unknown[] = [];
  let runs = 0;
  const first = defineJob({ name: "t.first", queue: QUEUE, retry: "none" }).handler(() => {
    runs += 1;
    return output;
  });
  const second = defineJob({ name: "t.second", queue: "other", retry: "none" }).handler(
    ({ input }) => void inputs.push(input),
  );
  await simulatedNode({ jobs: [second], clock, server, name: "n2" });
  const dying = await simulatedNode({ jobs: [first], clock, server });
  const settle = dying.broker.settle.bind(dying.broker);
  dying.broker.settle = async (delivery, steps) => {
    await settle(
      delivery,
      steps.slice(
        0,
        steps.findIndex((step) => step.do === before),
      ),
    );
    dying.broker.crashHolder();
    throw NO_ANSWER;
  };
  await dying.enqueue("t.first", null, { next: [{ name: "t.second", queue: "other", id: "b" }] });
  await clock.advance(awayFor);
  const heir = await simulatedNode({ jobs: [first], clock, server, name: "n3" });
  await clock.advance("1m");
  expect(heir.said).toEqual(["redelivered a", "settled a recalled recalled"]);
  expect(runs).toBe(1);
  expect(await heir.broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 0, running: 0 });
  return { ...heir, inputs };
}

test.each([
  ["enqueue", "1s"],
  ["enqueue", "3h"],
  ["ack", "1s"],
  ["ack", "3h"],
] as const)(
  "a holder dies with a success on record, before its %s, for %s: the chain goes on, and nothing runs twice",
  async (before, awayFor) => {
    const { inputs } = await deadHolder(before, { n: 7 }, awayFor);
    expect(inputs).toEqual([{ n: 7 }]);
  },
);

test("a result that is not kept can't be handed on by who completes the success: a letter says so", async () => {
  const { broker, inputs } = await deadHolder("enqueue", () => "no plain data", "1s");
  expect(inputs).toEqual([]);
  expect(await broker.deadLetters.list()).toMatchObject([
    {
      id: "b",
      name: "t.second",
      reason: "chain-broken",
      error: { type: "unserializable-payload" },
    },
  ]);
  expect(await broker.history.read({ id: "b" })).toMatchObject([
    { state: "dead", reason: "chain-broken" },
  ]);
});

test("the execution log has a job that could not follow with what it was to be given", async () => {
  const record = vi.fn();
  const job = defineJob({ name: "t.first", queue: QUEUE, retry: "none" }).handler(() => ({ n: 1 }));
  const { clock, enqueue } = await simulatedNode({
    jobs: [job],
    executionLog: { record, close: async () => {} },
  });
  await enqueue("t.first", "of the first", {
    next: [{ name: "t.second", queue: "nowhere", id: "b" }],
  });
  await clock.advance("1s");
  expect(record.mock.calls).toMatchObject([
    [{ id: "a", state: "succeeded" }, { id: "a", payload: "of the first" }, undefined],
    [
      { id: "b", reason: "chain-broken" },
      { id: "b", queue: "nowhere", payload: { n: 1 } },
    ],
  ]);
});

test("the execution log has a batch's callback that could not be enqueued", async () => {
  const record = vi.fn();
  const { broker, clock, enqueue } = await simulatedNode({
    jobs: [defineJob({ name: "t.member", queue: QUEUE }).handler(() => {})],
    executionLog: { record, close: async () => {} },
  });
  const createdAt = clock.now();
  const own = {
    id: "b:callback",
    name: "t.callback",
    queue: "nowhere",
    payload: "day",
    headers: {},
  };
  await broker.batches.open({ id: "b", createdAt, callback: { ...UNSETTLED, ...own, createdAt } });
  await broker.batches.join("b", [{ id: "a", queue: QUEUE }]);
  await enqueue("t.member", null, { batch: "b" });
  await clock.advance("1s");
  expect(record.mock.calls).toMatchObject([
    [
      { id: "b:callback", reason: "chain-broken" },
      { id: "b:callback", queue: "nowhere", payload: { input: "day", batch: { succeeded: 1 } } },
    ],
    [{ id: "a", state: "succeeded" }, { id: "a" }, undefined],
  ]);
});

test("a next job whose queue is missing is a dead letter in its own name, and the job before it has succeeded", async () => {
  const job = defineJob({ name: "t.first", queue: QUEUE, retry: "none" }).handler(() => ({ n: 1 }));
  const { broker, clock, enqueue, history, said } = await simulatedNode({ jobs: [job] });
  await enqueue("t.first", null, {
    next: [
      { name: "t.second", queue: "nowhere", id: "b" },
      { name: "t.third", queue: QUEUE, id: "c" },
    ],
  });
  await clock.advance("1s");
  expect(await history()).toMatchObject([{ state: "succeeded", output: { n: 1 } }]);
  expect(await history("b")).toMatchObject([
    { state: "dead", reason: "chain-broken", queue: "nowhere", attempts: 0 },
  ]);
  const [letter] = await broker.deadLetters.list();
  expect(letter).toMatchObject({
    id: "b",
    name: "t.second",
    queue: "nowhere",
    reason: "chain-broken",
  });
  expect(said).not.toContain("trouble a");
  // All that is needed to go on: the result, and what follows.
  expect(
    letter && readEnvelope({ ...letter, origin: "runtime", sequence: 1, storedAt: 0 }),
  ).toMatchObject({ envelope: { payload: { n: 1 }, next: [{ id: "c" }] } });
});

test("a result that can't be written as it is stands in no letter as something else", async () => {
  const job = defineJob({ name: "t.first", queue: QUEUE, retry: "none" }).handler(() => ({
    text: "half a character: \u{d83d}",
  }));
  const { broker, clock, enqueue, history } = await simulatedNode({ jobs: [job] });
  await enqueue("t.first", null, { next: [{ name: "t.second", queue: QUEUE, id: "b" }] });
  await clock.advance("1s");
  expect(await history()).toMatchObject([{ state: "succeeded", outputDropped: "unserializable" }]);
  const [letter] = await broker.deadLetters.list();
  expect(letter).toMatchObject({ id: "b", reason: "chain-broken" });
  expect(
    letter && readEnvelope({ ...letter, origin: "runtime", sequence: 1, storedAt: 0 }),
  ).toMatchObject({
    ok: false,
    error: { message: expect.stringContaining("payload must be there") as string },
  });
});

test.each(["24h", "30s"] as const)(
  "a chain whose ids and time of creation are used again after %s goes on from its own result, although a holder died",
  async (after) => {
    const clock = new SimulatedClock();
    const server = new MemoryServer(clock);
    const inputs: unknown[] = [];
    const first = defineJob({ name: "t.first", queue: QUEUE, retry: "none" }).handler(
      ({ input }) => input,
    );
    const second = defineJob({ name: "t.second", queue: "other", retry: "none" }).handler(
      ({ input }) => void inputs.push(input),
    );
    await simulatedNode({ jobs: [second], clock, server, name: "n2" });
    const dying = await simulatedNode({ jobs: [first], clock, server });
    await dying.broker.queues.ensure(QUEUE, { dedupeWindowMs: 1_000 });
    const settle = dying.broker.settle.bind(dying.broker);
    for (const day of [1, 2]) {
      if (day === 2)
        dying.broker.settle = async (delivery, steps) => {
          await settle(delivery, steps.slice(0, 1));
          dying.broker.crashHolder();
          throw NO_ANSWER;
        };
      await dying.enqueue("t.first", day, {
        createdAt: 5,
        next: [{ name: "t.second", queue: "other", id: "b" }],
      });
      await clock.advance(after);
    }
    await simulatedNode({ jobs: [first], clock, server, name: "n3" });
    await clock.advance("1m");
    expect(inputs).toEqual([1, 2]);
  },
);
