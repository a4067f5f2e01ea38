import {
  defineJob,
  type Delivery,
  type Logger,
  MillraceError,
  type Schema,
  silentLogger,
} from "@millrace/core";
import { MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, test, vi } from "vitest";
import { latch, makeNode, QUEUE, simulatedNode } from "../fixtures/simulated-node.ts";

const NO_ANSWER = new MillraceError("publish-timeout", "no answer");
const jobThat = (handle: () => unknown, options: object = {}) =>
  defineJob({ name: "t.job", queue: QUEUE, retry: "none", ...options }).handler(handle);
const hangs = () => new Promise(() => {});

/** How long a stop took by the clock. Fails where it did not end. */
async function timeToStop(
  { node, clock }: Pick<Awaited<ReturnType<typeof simulatedNode>>, "node" | "clock">,
  options?: { immediate: boolean },
): Promise<number> {
  const began = clock.monotonic();
  let ended: number | undefined;
  const stopped = node.stop(options).then(() => (ended = clock.monotonic()));
  await clock.advance("2m");
  expect(ended, "the stop did not end").toBeDefined();
  await stopped;
  return (ended ?? 0) - began;
}

test("slots are never exceeded, and filled again", async () => {
  let now = 0;
  let most = 0;
  let done = 0;
  const ends: (() => void)[] = [];
  const { clock, enqueue } = await simulatedNode({
    slots: 3,
    jobs: [
      jobThat(async () => {
        most = Math.max(most, (now += 1));
        await new Promise<void>((resolve) => ends.push(resolve));
        now -= 1;
        done += 1;
      }),
    ],
  });
  for (let id = 0; id < 10; id += 1) await enqueue("t.job", null, { id: `j${id}` });
  expect(now).toBe(3);
  while (ends.length > 0) {
    ends.shift()?.();
    await clock.advance(0);
    expect(now).toBe(Math.min(3, 10 - done));
  }
  expect([most, done]).toEqual([3, 10]);
});

test("a stop with nothing to do is immediate and leaves no timer", async () => {
  const made = await simulatedNode({ jobs: [jobThat(() => 1)] });
  expect(await timeToStop(made)).toBe(0);
  expect(made.node.state).toBe("stopped");
  expect(made.clock.pending).toBe(0);
});

test("work that ends in time is waited for, and no new work is taken", async () => {
  const release = latch();
  const made = await simulatedNode({ jobs: [jobThat(() => release.promise)], slots: 2 });
  await made.enqueue("t.job");
  const stopped = made.node.stop();
  await made.clock.advance("1s");
  await made.enqueue("t.job", null, { id: "b" });
  release.open();
  await made.clock.advance(0);
  await stopped;
  expect(await made.history("a")).toMatchObject([{ state: "succeeded" }]);
  expect(await made.history("b")).toEqual([]);
  expect(await made.broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 1, running: 0 });
});

test("a handler that listens has all of the grace, is told then, and its job goes back unspent", async () => {
  let reason: unknown;
  let toldAt = 0;
  const clock = new SimulatedClock();
  const job = defineJob({ name: "t.job", queue: QUEUE }).handler(
    ({ signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          toldAt = clock.monotonic();
          reason = signal.reason;
          reject(reason);
        });
      }),
  );
  const made = await simulatedNode({ jobs: [job], grace: "10s", clock });
  await made.enqueue("t.job");
  expect(await timeToStop(made)).toBe(10_000);
  expect(toldAt).toBe(10_000);
  expect(reason).toMatchObject({ code: "shutdown" });
  expect(await made.history()).toMatchObject([{ outcome: "interrupted", attempts: 0 }]);
});

test.each([
  ["1s", 1_000, 1_400],
  ["20s", 20_000, 28_000],
  ["90s", 90_000, 98_000],
])(
  "of a grace of %s a handler has all, and the node is gone soon after it",
  async (grace, whole, end) => {
    let toldAt = 0;
    const clock = new SimulatedClock();
    const deaf = ({ signal }: { readonly signal: AbortSignal }) =>
      new Promise(() => signal.addEventListener("abort", () => (toldAt = clock.monotonic())));
    const job = defineJob({ name: "t.job", queue: QUEUE }).handler(deaf);
    const made = await simulatedNode({ jobs: [job], grace: grace as "1s", clock });
    await made.enqueue("t.job");
    const tookMs = await timeToStop(made);
    expect(toldAt).toBe(whole);
    expect(tookMs).toBeGreaterThan(whole);
    expect(tookMs).toBeLessThanOrEqual(end);
  },
);

test("a job that has timed out when it is handed back has timed out", async () => {
  const made = await simulatedNode({
    jobs: [jobThat(hangs, { timeout: "1s", grace: "10m" })],
    grace: "10s",
  });
  await made.enqueue("t.job");
  await made.clock.advance("2s");
  await timeToStop(made, { immediate: true });
  expect(await made.history()).toMatchObject([
    { state: "dead", outcome: "timed-out", attempts: 1 },
  ]);
});

test("a settlement that can't be confirmed holds a stop little longer than the grace, and lets the job go", async () => {
  const release = latch();
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const made = await simulatedNode({
    jobs: [jobThat(() => release.promise)],
    grace: "10s",
    clock,
    server,
  });
  await made.enqueue("t.job");
  made.broker.disconnect();
  release.open();
  expect(await timeToStop(made)).toBeLessThanOrEqual(14_000);
  expect(made.broker.status).toBe("disconnected");
  made.broker.reconnect();
  const second = await simulatedNode({ jobs: [jobThat(() => "again")], clock, server, name: "n2" });
  await clock.advance("31s");
  expect(second.said).toContain("settled a succeeded succeeded");
});

test("what is closed after the node has what is left of its stop, and little after a stop at once", async () => {
  const job = jobThat(hangs);
  const idle = await simulatedNode({ jobs: [job], grace: "10s" });
  expect(idle.node.stopLeftMs).toBe(14_000);
  const stopped = idle.node.stop();
  await idle.clock.advance("4s");
  await stopped;
  expect(idle.node.stopLeftMs).toBe(10_000);
  await idle.clock.advance("1h");
  // Enough for a round trip in any case.
  expect(idle.node.stopLeftMs).toBe(100);

  const hurried = await simulatedNode({ jobs: [job], grace: "10s" });
  await hurried.enqueue("t.job");
  const hurriedStop = hurried.node.stop({ immediate: true });
  await hurried.clock.advance(0);
  await hurriedStop;
  expect(hurried.node.stopLeftMs).toBe(1_750);
});

test("what could not be handed back is not held by a lease that goes on for ever", async () => {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const made = await simulatedNode({ jobs: [jobThat(hangs)], grace: "1s", clock, server });
  await made.enqueue("t.job");
  // Connected, so that leases would be extended, but no settlement goes through.
  const settle = vi.spyOn(made.broker, "settle");
  for (let i = 0; i < 20; i += 1) made.broker.failNext("requeue", NO_ANSWER);
  await timeToStop(made);
  expect(settle).toHaveBeenLastCalledWith(expect.anything(), []);
  const second = await simulatedNode({ jobs: [jobThat(() => "again")], clock, server, name: "n2" });
  await clock.advance("31s");
  expect(second.said).toContain("settled a succeeded succeeded");
});

test("a broker that never answers holds a stop little longer than the grace", async () => {
  const made = await simulatedNode({ jobs: [jobThat(() => 1)], grace: "10s" });
  vi.spyOn(made.broker, "settle").mockReturnValue(new Promise(() => {}));
  await made.enqueue("t.job");
  expect(await timeToStop(made)).toBeLessThanOrEqual(14_000);
});

test("a validation that never answers holds a stop little longer than the grace", async () => {
  const never: Schema = {
    "~standard": { version: 1, vendor: "test", validate: () => new Promise(() => {}) },
  };
  const made = await simulatedNode({ jobs: [jobThat(() => 1, { input: never })], grace: "10s" });
  await made.enqueue("t.job");
  expect(await timeToStop(made)).toBeLessThanOrEqual(14_000);
  expect(await made.history()).toMatchObject([{ outcome: "interrupted", attempts: 0 }]);
});

test("a queue that can't be bound is tried again, and a stop does not wait for it", async () => {
  const made = makeNode({ jobs: [jobThat(() => 1)] });
  const work = vi.spyOn(made.broker, "work").mockRejectedValue(NO_ANSWER);
  const started = made.node.start();
  await made.clock.advance("3s");
  expect(work.mock.calls.length).toBeGreaterThanOrEqual(3);
  expect(made.node.state).toBe("starting");
  expect(made.node.health()).toMatchObject({ live: true, ready: false });
  expect(await timeToStop(made)).toBe(0);
  await started;
  expect(made.clock.pending).toBe(0);
});

test("a bind that never answers holds a stop little longer than the grace", async () => {
  const made = makeNode({ jobs: [jobThat(() => 1)], grace: "10s" });
  vi.spyOn(made.broker, "work").mockReturnValue(new Promise(() => {}));
  const started = made.node.start();
  await made.clock.advance("1s");
  expect(await timeToStop(made)).toBeLessThanOrEqual(14_000);
  await started;
});

test("a node whose queues can't be made rejects with the reason and ends stopped", async () => {
  const close = vi.fn(async () => {});
  const made = makeNode({
    jobs: [jobThat(() => 1)],
    executionLog: { record: () => {}, close },
  });
  const failure = new MillraceError("permission-denied", "not yours");
  vi.spyOn(made.broker.queues, "ensure").mockRejectedValue(failure);
  await expect(made.node.start()).rejects.toBe(failure);
  await made.node.stopped;
  expect(made.node.state).toBe("stopped");
  expect(made.node.health()).toMatchObject({ live: false, ready: false });
  expect(close).toHaveBeenCalledTimes(1);
  await expect(made.node.start()).rejects.toMatchObject({ code: "already-stopped" });
  expect(made.clock.pending).toBe(0);
});

test("a node that never started can be stopped, closes what it was given and can't be started", async () => {
  const close = vi.fn(async () => {});
  const made = makeNode({ jobs: [jobThat(() => 1)], executionLog: { record: () => {}, close } });
  expect(await timeToStop(made)).toBe(0);
  expect(close).toHaveBeenCalledTimes(1);
  await expect(made.node.start()).rejects.toMatchObject({ code: "already-stopped" });
});

test("an execution log that does not close, or can't, keeps nobody from ending", async () => {
  const hung = await simulatedNode({
    jobs: [jobThat(() => 1)],
    grace: "10s",
    executionLog: { record: () => {}, close: () => new Promise(() => {}) },
  });
  expect(await timeToStop(hung)).toBeLessThanOrEqual(600);
  const said: string[] = [];
  const log: Logger = {
    ...silentLogger,
    error: (_fields: object, line: string) => void said.push(line),
    child: () => log,
  };
  const broken = await simulatedNode({
    jobs: [jobThat(() => 1)],
    executionLog: { record: () => {}, close: async () => Promise.reject(new Error("disk full")) },
    log,
  });
  expect(await timeToStop(broken)).toBe(0);
  expect(broken.node.state).toBe("stopped");
  expect(said).toEqual(["a part of the node did not end well"]);
  // What is closed after it is closed all the same.
  expect(broken.clock.pending).toBe(0);
});

/**
 * A node whose deliveries the test hands over itself, as a real broker's last pull may bring
 * something late.
 */
async function lateDeliveries(handle: () => unknown) {
  const made = makeNode({ jobs: [jobThat(handle)], grace: "10s" });
  const held: Delivery[] = [];
  let hand: (delivery: Delivery) => void = () => {};
  const work = made.broker.work.bind(made.broker);
  vi.spyOn(made.broker, "work").mockImplementation((queue, options) => {
    hand = options.onDelivery;
    return work(queue, { ...options, onDelivery: (delivery) => held.push(delivery) });
  });
  await made.node.start();
  return { ...made, handOver: () => held.splice(0).forEach((delivery) => hand(delivery)) };
}

test("what is delivered after the node began to stop goes back unspent", async () => {
  const ran = vi.fn();
  const made = await lateDeliveries(ran);
  await made.enqueue("t.job");
  await made.enqueue("t.other", null, { id: "b" });
  const stopped = made.node.stop();
  made.handOver();
  await made.clock.advance("1s");
  await stopped;
  expect(ran).not.toHaveBeenCalled();
  expect(await made.history("a")).toMatchObject([
    { state: "requeued", outcome: "interrupted", attempts: 0 },
  ]);
  expect(await made.history("b")).toMatchObject([{ state: "dead", reason: "unknown-name" }]);
});

test("a redelivery that comes after the node began to stop is recalled, not published again", async () => {
  const made = await lateDeliveries(() => "done");
  made.broker.failNext("ack", NO_ANSWER);
  await made.enqueue("t.job");
  made.handOver();
  await made.clock.advance(0);
  made.broker.loseLeases(QUEUE);
  await made.clock.advance("1s");
  const stopped = made.node.stop();
  made.handOver();
  await made.clock.advance("1s");
  await stopped;
  expect(await made.history()).toMatchObject([{ state: "succeeded" }]);
  expect(await made.broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 0, running: 0 });
});

test("a stopped node does not wait to settle any more", async () => {
  const release = latch();
  const made = await simulatedNode({ jobs: [jobThat(() => release.promise)], grace: "1s" });
  await made.enqueue("t.job");
  for (let i = 0; i < 20; i += 1) made.broker.failNext("record", NO_ANSWER);
  release.open();
  await made.clock.advance("3s");
  const stopped = made.node.stop({ immediate: true });
  await made.clock.advance("150ms");
  await stopped;
  // The server's own watch over the unsettled message, and nothing of the node's.
  expect(made.clock.pending).toBe(1);
});
