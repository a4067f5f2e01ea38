import {
  defineJob,
  type HistoryRecord,
  MillraceError,
  UNSETTLED,
  writeEnvelope,
} from "@millrace/core";
import { MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, test, vi } from "vitest";
import { buryElsewhere } from "../fixtures/bury-elsewhere.ts";
import { latch, makeNode, QUEUE, simulatedNode } from "../fixtures/simulated-node.ts";

/**
 * A job that runs until it is told how to end, while another run of it, on a node that the server
 * forgot, records an end.
 */
async function runningTwice() {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const release = latch<unknown>();
  const job = defineJob({ name: "t.job", queue: QUEUE, timeout: "1h", retry: "none" }).handler(
    () => release.promise,
  );
  const node = await simulatedNode({ jobs: [job], clock, server });
  const createdAt = clock.now();
  await node.enqueue("t.job");
  const endElsewhere = (more: Partial<HistoryRecord> = {}): void =>
    void server.history.add({
      id: "a",
      name: "t.job",
      queue: QUEUE,
      state: "succeeded",
      outcome: "succeeded",
      attempts: 1,
      generation: 0,
      sequence: 1,
      createdAt,
      node: "n2",
      at: clock.now(),
      output: "theirs",
      ...more,
    });
  const left = async () => ({
    ends: (await node.history()).map(({ state, node: by }) => `${state} by ${by}`),
    letters: (await node.broker.deadLetters.list()).length,
    unsettled: (await node.broker.queues.snapshot(QUEUE)).running,
  });
  return { ...node, server, release, endElsewhere, left };
}

test("another run's success is on record: this one's is not written beside it, and the message is acked", async () => {
  const { clock, release, endElsewhere, left, said } = await runningTwice();
  endElsewhere();
  release.open("ours");
  await clock.advance("1s");
  expect(await left()).toEqual({ ends: ["succeeded by n2"], letters: 0, unsettled: 0 });
  expect(said.at(-1)).toBe("settled a recalled succeeded");
});

test("another run's success is on record: this one fails, and takes its letter back", async () => {
  const { clock, release, endElsewhere, left } = await runningTwice();
  endElsewhere();
  release.fail(new Error("charged already"));
  await clock.advance("1s");
  expect(await left()).toEqual({ ends: ["succeeded by n2"], letters: 0, unsettled: 0 });
});

test("an earlier job of the same id and time of creation, which ended before this one came, keeps nothing from it", async () => {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const job = defineJob({ name: "t.job", queue: QUEUE }).handler(() => "done");
  const node = await simulatedNode({ jobs: [job], clock, server });
  await node.broker.queues.ensure(QUEUE, { dedupeWindowMs: 1_000 });
  for (let count = 0; count < 2; count += 1) {
    await node.enqueue("t.job", count, { createdAt: 5 });
    await clock.advance("2s");
  }
  const ends = server.history.stored({ id: "a", queue: QUEUE });
  expect(ends.map(({ record }) => record.sequence)).toEqual([1, 2]);
  expect(await node.broker.queues.snapshot(QUEUE)).toMatchObject({ running: 0, queued: 0 });
});

test("two jobs of one id that have idempotency keys of their own are two jobs, however soon the second comes: it fails, and its letter lies there", async () => {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const job = defineJob({
    name: "t.job",
    queue: QUEUE,
    retry: { attempts: 2, backoff: "none" },
  }).handler(({ input }) => {
    if (input === 2) throw new Error("refused");
  });
  const { broker, said } = await simulatedNode({ jobs: [job], clock, server });
  for (const payload of [1, 2]) {
    const key = `key-${payload}`;
    server.queue(QUEUE).publish({
      messageId: key,
      origin: "producer",
      headers: { "content-type": "application/msgpack", "nats-msg-id": key },
      body: writeEnvelope({
        ...{ ...UNSETTLED, id: "a", name: "t.job", queue: QUEUE, payload, headers: {} },
        createdAt: clock.now(),
      }),
    });
    await clock.advance("10s");
  }
  expect(said.at(-1)).toBe("settled a dead failed");
  const ends = server.history.stored({ id: "a", queue: QUEUE });
  expect(ends.map(({ record }) => record.state)).toEqual(["succeeded", "requeued", "dead"]);
  expect(await broker.deadLetters.list()).toMatchObject([
    { id: "a", reason: "attempts-exhausted" },
  ]);
});

test("another run has buried the job across an outage and lost its lease before its record: this one succeeds, and takes the letter away", async () => {
  const { clock, server, broker, release, left } = await runningTwice();
  broker.disconnect();
  broker.reconnect();
  await clock.advance("1s");
  const [message] = server.queue(QUEUE).stored;
  if (message === undefined) throw new Error("the job is in hand");
  const { body, headers, sequence, storedAt } = message;
  const letter = { id: "a", name: "t.job", queue: QUEUE, attempts: 1, at: 1, node: "n2" };
  const buriedId = `dead/${QUEUE}/${sequence}/${storedAt}/0`;
  server.deadLetters.add({ ...letter, reason: "fatal", body, headers }, buriedId);
  release.open("ours");
  await clock.advance("1s");
  expect(await left()).toEqual({ ends: ["succeeded by n1"], letters: 0, unsettled: 0 });
});

/** Another run buried the job while the line was lost, and no record followed. */
async function buriedInOutage({
  clock,
  server,
  broker,
}: Pick<Awaited<ReturnType<typeof runningTwice>>, "clock" | "server" | "broker">): Promise<void> {
  broker.disconnect();
  broker.reconnect();
  buryElsewhere(server);
  await clock.advance("1s");
}

/** There was nothing to be found behind an outage, and this one goes on with no answer yet. */
async function goingOnAfterOutage() {
  const scene = await runningTwice();
  scene.broker.disconnect();
  scene.broker.reconnect();
  await scene.clock.advance("1s");
  scene.broker.failNext("requeue", new MillraceError("publish-timeout", "no answer"));
  const stopped = scene.node.stop({ immediate: true });
  await scene.clock.advance(1);
  return { scene, stopped };
}

test("another run has buried the job across an outage, and no record followed: this one is interrupted, and the job is dead by that letter", async () => {
  const scene = await runningTwice();
  await buriedInOutage(scene);
  const stopped = scene.node.stop({ immediate: true });
  await scene.clock.advance("10s");
  await stopped;
  expect(scene.said.at(-1)).toBe("settled a dead interrupted");
  expect(await scene.left()).toEqual({ ends: ["dead by n1"], letters: 1, unsettled: 0 });
});

test("the same in an outage in which this one was to go on", async () => {
  const scene = await runningTwice();
  scene.broker.failNext("requeue", new MillraceError("publish-timeout", "no answer"));
  const stopped = scene.node.stop({ immediate: true });
  await scene.clock.advance(1);
  await buriedInOutage(scene);
  await scene.clock.advance("10s");
  await stopped;
  expect(await scene.left()).toEqual({ ends: ["dead by n1"], letters: 1, unsettled: 0 });
});

test("the same in a second outage, where there was nothing to be found behind the first", async () => {
  const { scene, stopped } = await goingOnAfterOutage();
  await buriedInOutage(scene);
  await scene.clock.advance("10s");
  await stopped;
  expect(await scene.left()).toEqual({ ends: ["dead by n1"], letters: 1, unsettled: 0 });
});

test("another run has succeeded in a second outage in which this one was to go on: nothing runs again", async () => {
  const { scene, stopped } = await goingOnAfterOutage();
  scene.broker.disconnect();
  scene.broker.reconnect();
  scene.endElsewhere();
  await scene.clock.advance("10s");
  await stopped;
  expect(await scene.left()).toEqual({ ends: ["succeeded by n2"], letters: 0, unsettled: 0 });
  expect(scene.server.queue(QUEUE).stored).toEqual([]);
});

test("a job comes after an outage in which the server may have forgotten who has it, and another run buries it while it runs here: it does not go on", async () => {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const job = defineJob({ name: "t.job", queue: QUEUE }).handler(() => latch().promise);
  const { node, broker, enqueue, history } = makeNode({ jobs: [job], clock, server });
  await broker.queues.ensure(QUEUE);
  await enqueue("t.job");
  await node.start();
  await clock.advance("5s");
  buryElsewhere(server);
  const stopped = node.stop({ immediate: true });
  await clock.advance("10s");
  await stopped;
  const left = (await history()).map(({ state, outcome }) => `${state} ${outcome}`);
  expect(left).toEqual(["dead buried"]);
  expect(await broker.deadLetters.list()).toHaveLength(1);
});

test.each(["before it was known what the server had forgotten", "and it is known"])(
  "another run has buried the job in an outage in which this one was sent to wait at a limit, %s: it succeeds when it is let in, and takes the letter away",
  async (known) => {
    const clock = new SimulatedClock();
    const server = new MemoryServer(clock);
    const release = latch();
    const job = defineJob({
      name: "t.job",
      queue: QUEUE,
      concurrency: { key: () => "one", limit: 1 },
    }).handler(({ job: { id } }) => (id === "first" ? release.promise : undefined));
    const { broker, enqueue, history } = await simulatedNode({ jobs: [job], clock, server });
    await enqueue("t.job", null, { id: "first" });
    await clock.advance("1s");
    broker.failNext("block", new MillraceError("publish-timeout", "no answer"));
    await enqueue("t.job");
    await clock.advance(1);
    if (known === "and it is known") {
      await buriedInOutage({ clock, server, broker });
    } else {
      const reading = latch<readonly []>();
      const tail = vi.spyOn(broker.history, "tail").mockReturnValue(reading.promise);
      await buriedInOutage({ clock, server, broker });
      tail.mockRestore();
      reading.open([]);
    }
    await clock.advance("1s");
    release.open();
    await clock.advance("10s");
    const states = (await history()).map(({ state, outcome }) => `${state} ${outcome}`);
    expect(states).toEqual(["requeued blocked", "succeeded succeeded"]);
    expect(await broker.deadLetters.list()).toEqual([]);
  },
);

test("this run has buried the job and is refused its record, and nobody answers until its lease is over: it takes its letter back all the same", async () => {
  const { clock, broker, release, endElsewhere, left } = await runningTwice();
  const noAnswer = new MillraceError("request-timeout", "no answer");
  const settling = vi.spyOn(broker, "settle");
  broker.failNext("record", noAnswer);
  release.fail(new Error("charged already"));
  await clock.advance(10);
  expect((await left()).letters).toBe(1);
  endElsewhere();
  const asked = vi.spyOn(broker.history, "endOf").mockRejectedValue(noAnswer);
  await clock.advance("1s");
  expect(asked).toHaveBeenCalled();
  // The other run acks the message: nobody comes to this letter any more.
  const [delivery] = settling.mock.calls[0] ?? [];
  if (delivery === undefined) throw new Error("it is being settled");
  await broker.settle(delivery, [{ do: "ack" }]);
  await clock.advance("5s");
  expect((await left()).letters).toBe(1);
  asked.mockRestore();
  await clock.advance("10s");
  expect(await left()).toEqual({ ends: ["succeeded by n2"], letters: 0, unsettled: 0 });
});

test("this run has buried the job and is not told whether its record is there, and its lease is over: another's end counts, and it takes its letter back", async () => {
  const { clock, broker, release, endElsewhere, left } = await runningTwice();
  const settling = vi.spyOn(broker, "settle");
  broker.failNext("record", new MillraceError("request-timeout", "no answer"));
  release.fail(new Error("charged already"));
  await clock.advance(10);
  expect((await left()).letters).toBe(1);
  endElsewhere();
  // The other run acks the message: nobody comes to this letter any more.
  const [delivery] = settling.mock.calls[0] ?? [];
  if (delivery === undefined) throw new Error("it is being settled");
  await broker.settle(delivery, [{ do: "ack" }]);
  await clock.advance("1m");
  expect(await left()).toEqual({ ends: ["succeeded by n2"], letters: 0, unsettled: 0 });
});
