import {
  defineJob,
  type HistoryRecord,
  type HistoryStore,
  MillraceError,
  type StoredRecord,
} from "@millrace/core";
import { MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, test, vi } from "vitest";
import { latch, QUEUE, simulatedNode } from "../../fixtures/simulated-node.ts";

const NO_ANSWER = new MillraceError("publish-timeout", "no answer");

/** A node whose job notes its runs and ends as told. */
async function counting(end: (run: number) => unknown) {
  const runs: number[] = [];
  const job = defineJob({
    name: "t.job",
    queue: QUEUE,
    retry: { attempts: 3, backoff: "fixed", base: "10s", jitter: false },
  }).handler(({ attempt }) => {
    runs.push(attempt);
    return end(runs.length);
  });
  return { ...(await simulatedNode({ jobs: [job] })), runs };
}

test("a crash between the record and the ack: the redelivery is recalled, not run", async () => {
  const { broker, clock, enqueue, history, runs, said } = await counting(() => "done");
  broker.failNext("ack", NO_ANSWER);
  await enqueue("t.job");
  broker.loseLeases(QUEUE);
  await clock.advance("1s");
  expect(runs).toEqual([1]);
  expect(await history()).toMatchObject([{ state: "succeeded" }]);
  expect(said).toContain("settled a recalled recalled");
  expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 0, running: 0 });
});

test("the same with the holder's process gone: another node recalls it when the lease has run out", async () => {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  let runs = 0;
  const job = defineJob({ name: "t.job", queue: QUEUE }).handler(() => (runs += 1));
  const first = await simulatedNode({ jobs: [job], clock, server });
  first.broker.failNext("ack", NO_ANSWER);
  await first.enqueue("t.job");
  first.broker.crashHolder();
  const second = await simulatedNode({ jobs: [job], clock, server, name: "n2" });
  await clock.advance("31s");
  expect(second.said).toEqual(["redelivered a", "settled a recalled recalled"]);
  expect(runs).toBe(1);
});

test("a crash between a retry's publication and its record: the retry waits already, and the attempt before it is not made again", async () => {
  const { broker, clock, enqueue, history, runs } = await counting((run) => {
    if (run < 2) throw new Error(`no ${run}`);
  });
  broker.failNext("record", NO_ANSWER);
  await enqueue("t.job");
  broker.loseLeases(QUEUE);
  await clock.advance("1s");
  expect(runs).toEqual([1]);
  expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 0, running: 0, delayed: 1 });
  await clock.advance("1m");
  expect(runs).toEqual([1, 2]);
  expect((await history()).map(({ generation, state }) => [generation, state])).toEqual([
    [1, "succeeded"],
  ]);
});

/**
 * Two nodes of one server; the job is charged once, and refuses to be charged twice. The first is
 * gone between a publication and its record.
 */
async function charging(retry: { readonly attempts: number }) {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const runs: number[] = [];
  let charged = false;
  const job = defineJob({ name: "t.job", queue: QUEUE, retry: { ...retry, base: 0 } }).handler(
    ({ attempt }) => {
      runs.push(attempt);
      if (attempt === 1 && !charged && runs.length === 1) throw new Error("try again");
      if (charged) throw new Error("already charged");
      charged = true;
      return "charged";
    },
  );
  const first = await simulatedNode({ jobs: [job], clock, server });
  first.broker.failNext("record", NO_ANSWER);
  await first.enqueue("t.job");
  first.broker.crashHolder();
  const second = await simulatedNode({ jobs: [job], clock, server, name: "n2" });
  await clock.advance("2m");
  const letters = await second.broker.deadLetters.list();
  return { broker: second.broker, history: await second.history(), letters, runs };
}

test("a retry that has succeeded ends the job: the attempt before it, which comes again, is acked and nothing else", async () => {
  const { broker, history, letters, runs } = await charging({ attempts: 2 });
  expect(runs).toEqual([1, 2]);
  expect(history.map(({ state }) => state)).toEqual(["succeeded"]);
  expect(letters).toEqual([]);
  expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 0, running: 0 });
});

test("a dead letter without a record is found, and the record made up for: no second run, no second letter", async () => {
  const { history, letters, runs } = await charging({ attempts: 1 });
  expect(runs).toEqual([1]);
  expect(letters).toMatchObject([{ id: "a", reason: "attempts-exhausted", attempts: 1 }]);
  expect(history).toMatchObject([
    {
      state: "dead",
      outcome: "buried",
      reason: "attempts-exhausted",
      attempts: 1,
      error: { message: "try again" },
    },
  ]);
});

test("where another node has settled the job while it ran here, its end stays the only one", async () => {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const hang = latch<string>();
  const job = defineJob({ name: "t.job", queue: QUEUE }).handler(() => hang.promise);
  const first = await simulatedNode({ jobs: [job], clock, server });
  await first.enqueue("t.job");
  const createdAt = clock.now();
  first.broker.crashHolder();
  const second = await simulatedNode({ jobs: [job], clock, server, name: "n2" });
  await clock.advance("41s");
  expect(second.node.running).toHaveLength(1);
  const end: HistoryRecord = {
    ...{ id: "a", name: "t.job", queue: QUEUE, state: "dead", outcome: "failed", attempts: 1 },
    ...{ generation: 0, sequence: 1, createdAt, node: "n1", at: clock.now() },
  };
  server.history.add(end);
  hang.open("done");
  await clock.advance("1s");
  expect(await second.history()).toEqual([end]);
  expect(second.said.at(-1)).toBe("settled a recalled succeeded");
  expect(await second.broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 0, running: 0 });
});

test("a job that was handed back, but not on record any more, runs once", async () => {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const runs: string[] = [];
  const job = defineJob({ name: "t.job", queue: QUEUE }).handler(async ({ node, signal }) => {
    runs.push(node);
    if (node === "n1")
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    signal.throwIfAborted();
  });
  const first = await simulatedNode({ jobs: [job], clock, server });
  await first.enqueue("t.job");
  first.broker.failNext("record", NO_ANSWER);
  const stopped = first.node.stop({ immediate: true });
  await clock.advance(0);
  first.broker.crashHolder();
  const second = await simulatedNode({ jobs: [job], clock, server, name: "n2" });
  await clock.advance("2m");
  await stopped;
  expect(runs).toEqual(["n1", "n2"]);
  expect((await second.history()).at(-1)).toMatchObject({ state: "succeeded", generation: 1 });
  expect(await second.broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 0, running: 0 });
});

test("a crash before anything was published: run again, and the crash spends no attempt", async () => {
  const hang = latch();
  const { broker, clock, enqueue, history, runs } = await counting((run) =>
    run === 1 ? hang.promise : "done",
  );
  await enqueue("t.job");
  broker.loseLeases(QUEUE);
  await clock.advance("1s");
  expect(runs).toEqual([1, 1]);
  expect(await history()).toMatchObject([{ state: "succeeded", attempts: 1, output: "done" }]);
  hang.open();
  await clock.advance("1s");
  expect(await history()).toHaveLength(1);
});

test("an id that is enqueued anew is another message: its redelivery is not taken for the first one's", async () => {
  const hang = latch();
  const { broker, clock, enqueue, history, runs } = await counting((run) =>
    run === 2 ? hang.promise : `run ${run}`,
  );
  await enqueue("t.job");
  await clock.advance("1h");
  await enqueue("t.job");
  expect(runs).toHaveLength(2);
  broker.loseLeases(QUEUE);
  await clock.advance("1s");
  expect(runs).toHaveLength(3);
  expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 0, running: 0 });
  expect((await history()).at(-1)).toMatchObject({ state: "succeeded" });
});

/** Takes the next read of the history into the test's hands. */
function holdNextRead(history: HistoryStore) {
  const held = latch<readonly StoredRecord[]>();
  const spy = vi.spyOn(history, "stored").mockReturnValueOnce(held.promise);
  return { ...held, spy };
}

test("a history that can't be read is asked again; the job waits for the answer", async () => {
  const hang = latch();
  const { broker, clock, enqueue, runs, said } = await counting((run) =>
    run === 1 ? hang.promise : "done",
  );
  await enqueue("t.job");
  const read = vi.spyOn(broker.history, "stored");
  for (let i = 0; i < 4; i += 1) read.mockRejectedValueOnce(NO_ANSWER);
  broker.loseLeases(QUEUE);
  await clock.advance("1700ms");
  expect(runs).toEqual([1]);
  await clock.advance("100ms");
  expect(runs).toEqual([1, 1]);
  expect(said.filter((line) => line === "trouble a")).toHaveLength(4);
});

test("a lease that goes while the history is asked ends the wait, and nothing is run or settled", async () => {
  const hang = latch();
  const { broker, clock, enqueue, runs, said, node } = await counting(() => hang.promise);
  await enqueue("t.job");
  const held = holdNextRead(broker.history);
  broker.loseLeases(QUEUE);
  await clock.advance(0);
  expect(held.spy).toHaveBeenCalledTimes(1);
  broker.loseLeases(QUEUE);
  await clock.advance(0);
  expect(said.filter((line) => line === "lost a")).toHaveLength(1);
  held.open([]);
  await clock.advance(0);
  // The third delivery runs; the second, whose answer came late, does not.
  expect(runs).toHaveLength(2);
  expect(node.running).toHaveLength(2);
});

test("a stop while the history is asked hands nothing back that may be settled already", async () => {
  const { broker, clock, enqueue, history, runs, node } = await counting(() => "done");
  broker.failNext("ack", NO_ANSWER);
  await enqueue("t.job");
  const held = holdNextRead(broker.history);
  broker.loseLeases(QUEUE);
  await clock.advance(0);
  const stopped = node.stop({ immediate: true });
  await clock.advance("5s");
  await stopped;
  held.open([]);
  await clock.advance("1s");
  expect(runs).toEqual([1]);
  expect(await history()).toMatchObject([{ state: "succeeded" }]);
  // Not published again: the one message is still the server's, for the next holder to recall.
  expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 0, running: 1, delayed: 0 });
  await clock.advance("31s");
  expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 1, running: 0 });
});

test("a stop while the history is asked waits for the answer: what is not over is there for others at once", async () => {
  const { broker, clock, enqueue, runs, node } = await counting(() => latch().promise);
  await enqueue("t.job");
  const held = holdNextRead(broker.history);
  broker.loseLeases(QUEUE);
  await clock.advance(0);
  expect(held.spy).toHaveBeenCalledTimes(1);
  const stopped = node.stop({ immediate: true });
  await clock.advance("100ms");
  held.open([]);
  await clock.advance("100ms");
  await stopped;
  expect(runs).toEqual([1]);
  expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 1, running: 0, delayed: 0 });
});

test("a stop while the history is asked waits for the answer: what is over is settled", async () => {
  const { broker, clock, enqueue, history, runs, node, said } = await counting(() => "done");
  broker.failNext("ack", NO_ANSWER);
  await enqueue("t.job");
  const records = await broker.history.stored({ queue: QUEUE, id: "a" });
  const held = holdNextRead(broker.history);
  broker.loseLeases(QUEUE);
  await clock.advance(0);
  const stopped = node.stop({ immediate: true });
  await clock.advance("100ms");
  held.open(records);
  await clock.advance("100ms");
  await stopped;
  expect(runs).toEqual([1]);
  expect(said).toContain("settled a recalled recalled");
  expect(await history()).toMatchObject([{ state: "succeeded" }]);
  expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 0, running: 0, delayed: 0 });
});
