import {
  defineJob,
  type Delivery,
  type Logger,
  MillraceError,
  silentLogger,
  UNSETTLED,
  writeEnvelope,
} from "@millrace/core";
import { MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, test, vi } from "vitest";
import { buryElsewhere } from "../fixtures/bury-elsewhere.ts";
import { latch, makeNode, QUEUE, simulatedNode } from "../fixtures/simulated-node.ts";

test("a job for later whose first message a killed server has forgotten is stored twice: it waits once, and runs once", async () => {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const runs: number[] = [];
  const job = defineJob({ name: "t.job", queue: QUEUE }).handler(({ token }) => runs.push(token));
  const { broker, said } = await simulatedNode({ jobs: [job], clock, server });
  const createdAt = clock.now();
  const notBefore = createdAt + 10_000;
  const of = { id: "a", name: "t.job", queue: QUEUE, payload: null, headers: {} };
  const store = (messageId: string): void =>
    void server.queue(QUEUE).publish({
      messageId,
      origin: "producer",
      headers: { "content-type": "application/msgpack", "nats-msg-id": "a" },
      body: writeEnvelope({ ...UNSETTLED, ...of, createdAt, notBefore }),
    });
  store("first");
  await clock.advance("5s");
  expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ delayed: 1 });
  store("repeated");
  await clock.advance("5s");
  expect(runs).toHaveLength(1);
  expect(said).toContain("settled a recalled recalled");
  expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 0, running: 0, delayed: 0 });
});

test("a message that a killed server hands to one node twice runs there once: the second waits for the end of the first", async () => {
  const release = latch<unknown>();
  let runs = 0;
  const job = defineJob({ name: "t.job", queue: QUEUE }).handler(() => {
    runs += 1;
    return release.promise;
  });
  const waits: object[] = [];
  const log: Logger = {
    ...silentLogger,
    warn: (fields, message) => void waits.push({ ...fields, message }),
    child: () => log,
  };
  const { node, broker, clock, enqueue, said } = makeNode({ jobs: [job], log });
  const [work, settle] = [broker.work.bind(broker), broker.settle.bind(broker)];
  const came: Delivery[] = [];
  let hand: (delivery: Delivery) => void = () => {};
  vi.spyOn(broker, "work").mockImplementation((queue, options) => {
    hand = (delivery) => {
      came.push(delivery);
      options.onDelivery(delivery);
    };
    return work(queue, { ...options, onDelivery: hand });
  });
  await node.start();
  await enqueue("t.job");
  broker.disconnect();
  broker.reconnect();
  const [first] = came;
  if (first === undefined) throw new Error("the job is in hand");
  const lease = { isHeld: () => true, onLost: () => {} };
  const second: Delivery = { message: first.message, deliveryCount: 1, lease };
  const settled = vi
    .spyOn(broker, "settle")
    .mockImplementation((delivery, steps) =>
      delivery === second ? Promise.resolve() : settle(delivery, steps),
    );
  hand(second);
  await clock.advance("16s");
  expect(runs).toBe(1);
  const message = "a job that came again waits for the end of its run on this node";
  expect(waits).toContainEqual(expect.objectContaining({ job: "a", waitedMs: 15_000, message }));
  release.open("done");
  await clock.advance("5s");
  expect(runs).toBe(1);
  expect(said.slice(-2)).toEqual(["settled a succeeded succeeded", "settled a recalled recalled"]);
  expect(settled).toHaveBeenLastCalledWith(second, [{ do: "ack" }]);
});

test("what a killed server may have handed out before is not handed back without a look: its job is over", async () => {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const job = defineJob({ name: "t.job", queue: QUEUE }).handler(() => "done");
  const { broker, node, enqueue, said } = await simulatedNode({ jobs: [job], clock, server });
  broker.disconnect();
  broker.reconnect();
  const reading = latch<readonly []>();
  vi.spyOn(broker.history, "tail").mockReturnValue(reading.promise);
  broker.disconnect();
  broker.reconnect();
  const createdAt = clock.now();
  await enqueue("t.job");
  server.history.add({
    ...{ id: "a", name: "t.job", queue: QUEUE, state: "succeeded", outcome: "succeeded" },
    ...{ attempts: 1, generation: 0, sequence: 1, createdAt, node: "n2", at: createdAt },
  });
  const stopped = node.stop({ immediate: true });
  await clock.advance(0);
  reading.open([]);
  await clock.advance("1s");
  await stopped;
  expect(said).toContain("settled a recalled interrupted");
  const left = server.history.stored({ id: "a", queue: QUEUE });
  expect(left.map(({ record }) => record.state)).toEqual(["succeeded"]);
  expect(server.queue(QUEUE).stored).toEqual([]);
});

test("a job that was buried right before its server was killed, and never recorded, is not run again where the server has forgotten that it had handed it out", async () => {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  let runs = 0;
  const job = defineJob({ name: "t.job", queue: QUEUE }).handler(() => (runs += 1));
  const { broker, node, enqueue, said } = makeNode({ jobs: [job], clock, server });
  await broker.queues.ensure(QUEUE);
  await enqueue("t.job");
  buryElsewhere(server, { at: clock.now() });
  await node.start();
  await clock.advance("5s");
  expect(runs).toBe(0);
  expect(said.at(-1)).toBe("settled a dead buried");
  expect(await broker.deadLetters.list()).toMatchObject([{ id: "a", reason: "fatal" }]);
  const left = server.history.stored({ id: "a", queue: QUEUE });
  expect(left.map(({ record }) => record.state)).toEqual(["dead"]);
  expect(server.queue(QUEUE).stored).toEqual([]);
});

/** It is behind a job of its key; a letter lies there of a run that its server has forgotten. */
async function buriedAndForgotten(handle: () => unknown) {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const release = latch();
  const job = defineJob({
    name: "t.job",
    queue: QUEUE,
    concurrency: { key: () => "one", limit: 1 },
  }).handler(({ job: { id } }) => (id === "b" ? release.promise : handle()));
  const { broker, node, enqueue, said } = makeNode({ jobs: [job], clock, server });
  await broker.queues.ensure(QUEUE);
  await enqueue("t.job", null, { id: "b" });
  await enqueue("t.job");
  buryElsewhere(server, { reason: "attempts-exhausted" });
  await node.start();
  await clock.advance("1s");
  expect(said).toContain("settled a requeued blocked");
  return { broker, clock, said, letGo: () => release.open() };
}

test("a job that was buried before a killed server forgot that it had handed it out is sent to wait, and succeeds: its letter is taken away", async () => {
  const { broker, clock, said, letGo } = await buriedAndForgotten(() => "done");
  letGo();
  await clock.advance("10s");
  expect(said).toContain("settled a succeeded succeeded");
  expect(await broker.deadLetters.list()).toEqual([]);
});

test("such a letter is taken away before the ack, also where the first try is not confirmed", async () => {
  const { broker, clock, said, letGo } = await buriedAndForgotten(() => "done");
  const settle = broker.settle.bind(broker);
  const [remove, done] = [vi.spyOn(broker.deadLetters, "remove"), [] as string[]];
  let tries = 0;
  vi.spyOn(broker, "settle").mockImplementation(async (delivery, steps) => {
    const isItsEnd = steps.some((step) => step.do === "record" && step.record.id === "a");
    if (isItsEnd && (tries += 1) === 1) throw new MillraceError("publish-timeout", "no answer");
    const wasAway = remove.mock.calls.length > 0;
    await settle(delivery, steps);
    if (isItsEnd) done.push("recorded");
    if (steps.at(-1)?.do === "ack" && done.length > 0) done.push(wasAway ? "acked" : "too soon");
  });
  letGo();
  await clock.advance("10s");
  expect(said).toContain("settled a succeeded succeeded");
  expect(done).toEqual(["recorded", "acked"]);
  expect(await broker.deadLetters.list()).toEqual([]);
});

test("such a letter is not forgotten while the job goes on from attempt to attempt", async () => {
  let runs = 0;
  const { broker, clock, said, letGo } = await buriedAndForgotten(() => {
    if ((runs += 1) < 3) throw new Error("not yet");
  });
  letGo();
  await clock.advance("10m");
  expect(said).toContain("settled a succeeded succeeded");
  expect(await broker.deadLetters.list()).toEqual([]);
});
