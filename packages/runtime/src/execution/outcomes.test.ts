import {
  type AnyJob,
  cancel,
  type CancelledJob,
  type DeadJob,
  defineJob,
  type Duration,
  fatal,
  MillraceError,
  type SettlementStep,
  type SucceededJob,
} from "@millrace/core";
import { type MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { describe, expect, test } from "vitest";
import { latch, QUEUE, simulatedNode } from "../fixtures/simulated-node.ts";

type Told = SucceededJob | DeadJob | CancelledJob;

const NO_ANSWER = new MillraceError("publish-timeout", "no answer");
const TOLD = "told";
const tell = defineJob<Told>({ name: "t.tell", queue: TOLD, retry: "none" });
const onAll = { onSucceeded: tell, onDead: tell, onCancelled: tell };
const ENDS = {
  succeeded: (): unknown => ({ n: 7 }),
  dead: (): unknown => fatal("no such account"),
  cancelled: (): unknown => cancel("not worth it"),
  expired: (): unknown => "never",
};
type End = keyof typeof ENDS;

interface PairOptions {
  readonly maxMessageBytes?: number;
  /** What its handler does. */
  readonly does?: () => unknown;
}

/** A node whose jobs tell of their ends, beside one that is told; both on one server. */
async function pair(end: End, { maxMessageBytes, does = ENDS[end] }: PairOptions = {}) {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const told: Told[] = [];
  const runs: string[] = [];
  const work = defineJob({ name: "t.work", queue: QUEUE, retry: "none", ...onAll }).handler(
    ({ job }) => {
      runs.push(job.id);
      return does();
    },
  );
  const hear = tell.handler(({ input }) => void told.push(input));
  const limits = maxMessageBytes === undefined ? {} : { maxMessageBytes };
  const node = (name: string, job: AnyJob = work) =>
    simulatedNode({ jobs: [job], clock, server, name, ...limits });
  const hearing = () => simulatedNode({ jobs: [hear], clock, server, name: "hears", ...limits });
  const fields = (): object => (end === "expired" ? { expiresAt: clock.now() } : {});
  return { clock, told, runs, work, node, hearing, fields };
}

/** The holder is gone right before a step of its settlement. */
function dieBefore(step: SettlementStep["do"], broker: MemoryBroker): void {
  const settle = broker.settle.bind(broker);
  broker.settle = async (delivery, steps) => {
    const until = steps.findIndex((one) => one.do === step);
    await settle(delivery, steps.slice(0, until));
    broker.crashHolder();
    throw NO_ANSWER;
  };
}

describe("a holder dies before a step of its settlement: the end is told once", () => {
  const STEPS: Readonly<Record<End, readonly SettlementStep["do"][]>> = {
    succeeded: ["enqueue", "ack"],
    dead: ["record", "enqueue", "ack"],
    cancelled: ["enqueue", "ack"],
    expired: ["record", "enqueue", "ack"],
  };
  const CASES = (Object.keys(STEPS) as End[]).flatMap((end) =>
    STEPS[end].flatMap((before) =>
      (["1s", "10m"] as const satisfies Duration[]).map((awayFor) => ({ end, before, awayFor })),
    ),
  );
  test.each(CASES)("$end, before its $before, away for $awayFor", async (given) => {
    const { end, before, awayFor } = given;
    const { clock, told, runs, node, hearing, fields } = await pair(end);
    await hearing();
    const { broker, enqueue } = await node("dies");
    dieBefore(before, broker);
    await enqueue("t.work", { order: 7 }, fields());
    await clock.advance(awayFor);
    const heir = await node("heir");
    await clock.advance("1m");
    expect(runs).toEqual(end === "expired" ? [] : ["a"]);
    const attempts = end === "succeeded" || end === "dead" ? 1 : 0;
    expect(told).toMatchObject([{ id: "a", queue: QUEUE, payload: { order: 7 }, end, attempts }]);
    const [record] = await heir.history();
    expect(told[0]?.endedAt).toBe(record?.at);
    for (const queue of [QUEUE, TOLD])
      expect(await heir.broker.queues.snapshot(queue)).toMatchObject({ queued: 0, running: 0 });
  });
});

test("a node that lacks the definition completes an end that is on record", async () => {
  const { clock, told, node, hearing } = await pair("succeeded");
  await hearing();
  const { broker, enqueue } = await node("dies");
  dieBefore("enqueue", broker);
  await enqueue("t.work", { order: 7 });
  const other = defineJob({ name: "t.other", queue: QUEUE }).handler(() => {});
  await node("heir", other);
  await clock.advance("1m");
  expect(told).toMatchObject([{ id: "a", end: "succeeded", result: { n: 7 } }]);
});

test("a job that takes its holders down is told of when it is buried", async () => {
  const hang = latch<unknown>();
  const { clock, told, node, hearing } = await pair("dead", { does: () => hang.promise });
  await hearing();
  let first = true;
  for (const name of ["n1", "n2", "n3"]) {
    const { broker, enqueue } = await node(name);
    if (first) await enqueue("t.work");
    first = false;
    await clock.advance("31s");
    // Its process is gone: it says no more that it is there.
    broker.crashHolder();
    broker.disconnect();
  }
  await node("n4");
  await clock.advance("2m");
  expect(told).toMatchObject([
    { id: "a", end: "dead", reason: "crashed", error: { type: "crashed" } },
  ]);
});

test("a message that can't be read is told of where it has a name", async () => {
  const { clock, told, node, hearing } = await pair("dead");
  await hearing();
  const { enqueue } = await node("n1");
  await enqueue("t.work", null, { maxAttempts: 0.5 });
  await clock.advance("1s");
  expect(told).toMatchObject([
    { id: "a", reason: "invalid-envelope", payloadDropped: "unreadable", attempts: 0 },
  ]);
});

test("what is told is cut to what fits: first a result, which the history has, then the payload", async () => {
  const big = "x".repeat(6_000);
  const success = await pair("succeeded", { maxMessageBytes: 9_000, does: () => big });
  await success.hearing();
  await (await success.node("n1")).enqueue("t.work", big);
  await success.clock.advance("1s");
  expect(success.told).toMatchObject([{ payload: big, resultDropped: "too-large" }]);
  expect(success.told[0]).not.toHaveProperty("result");

  const dead = await pair("dead", { maxMessageBytes: 6_400, does: () => fatal("y".repeat(500)) });
  await dead.hearing();
  await (await dead.node("n1")).enqueue("t.work", big);
  await dead.clock.advance("1s");
  expect(dead.told).toMatchObject([{ end: "dead", reason: "fatal", payloadDropped: "too-large" }]);
});

test("a result that is no plain data is left out, and the success is told", async () => {
  const { clock, told, node, hearing } = await pair("succeeded", { does: () => new Map() });
  await hearing();
  await (await node("n1")).enqueue("t.work", 1);
  await clock.advance("1s");
  expect(told).toMatchObject([{ end: "succeeded", payload: 1, resultDropped: "unserializable" }]);
});

test("nobody who hears is there yet: what is told waits in its queue", async () => {
  const { clock, told, node, hearing } = await pair("dead");
  const { broker, enqueue } = await node("n1");
  await enqueue("t.work");
  expect(await broker.queues.snapshot(TOLD)).toMatchObject({ queued: 1 });
  await hearing();
  await clock.advance("1s");
  expect(told).toHaveLength(1);
});

test("its queue is full: what is told waits for room outside, and the job has ended", async () => {
  const { clock, told, node, hearing } = await pair("succeeded");
  const { broker, enqueue } = await node("n1");
  await broker.queues.ensure(TOLD, { maxJobs: 1 });
  for (const id of ["a", "b", "c"]) await enqueue("t.work", null, { id });
  expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 0, running: 0 });
  await hearing();
  await clock.advance("10s");
  expect(told.map(({ id }) => id).toSorted()).toEqual(["a", "b", "c"]);
});

test("its queue was removed: a letter in its own name, from which it is told", async () => {
  const { clock, told, node, hearing } = await pair("dead");
  const { broker, enqueue, history } = await node("n1");
  await broker.queues.remove(TOLD);
  await enqueue("t.work");
  await clock.advance("1s");
  expect(await history()).toMatchObject([{ state: "dead", reason: "fatal" }]);
  const letters = await broker.deadLetters.list();
  expect(letters.find(({ queue }) => queue === TOLD)).toMatchObject({
    id: `dead:${QUEUE}:a`,
    reason: "chain-broken",
    error: { message: expect.stringMatching(/^a of work has ended, but t.tell/) as string },
  });
  await hearing();
  expect(told).toEqual([]);
});

test("a job without outcomes takes no step more, and looks nothing up when it is recalled", async () => {
  const clock = new SimulatedClock();
  const plain = defineJob({ name: "t.plain", queue: QUEUE }).handler(() => "done");
  const { broker, enqueue } = await simulatedNode({ jobs: [plain], clock });
  const steps: string[] = [];
  const settle = broker.settle.bind(broker);
  broker.settle = (delivery, all) => {
    steps.push(...all.map((step) => step.do));
    return settle(delivery, all);
  };
  await enqueue("t.plain");
  expect(steps).toEqual(["record", "ack"]);
});
