import { defineJob, fatal, snooze } from "@millrace/core";
import { MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { QUEUE, simulatedNode } from "../fixtures/simulated-node.ts";

const define = (options: Partial<Parameters<typeof defineJob>[0]> = {}) =>
  defineJob({
    name: "t.job",
    queue: QUEUE,
    retry: { attempts: 3, backoff: "fixed", base: "10s", jitter: false },
    ...options,
  });

test("a job runs, and its history has the result", async () => {
  const job = define().handler(({ input, attempt }) => ({ input, attempt }));
  const { enqueue, history } = await simulatedNode({ jobs: [job] });
  await enqueue("t.job", { n: 1 });
  expect(await history()).toMatchObject([
    { state: "succeeded", attempts: 1, output: { input: { n: 1 }, attempt: 1 }, node: "n1" },
  ]);
});

test("a job that fails is tried again after the policy's delay, and dies when its attempts are spent", async () => {
  const attempts: number[] = [];
  const job = define().handler(async ({ attempt }) => {
    attempts.push(attempt);
    throw new TypeError(`no ${attempt}`);
  });
  const { enqueue, history, clock, broker } = await simulatedNode({ jobs: [job] });
  await enqueue("t.job");
  expect(attempts).toEqual([1]);
  await clock.advance("9s");
  expect(attempts).toEqual([1]);
  await clock.advance("1s");
  expect(attempts).toEqual([1, 2]);
  await clock.advance("10s");
  expect(attempts).toEqual([1, 2, 3]);
  await clock.advance("1h");
  expect(attempts).toEqual([1, 2, 3]);

  expect((await history()).map(({ state, attempts: count }) => [state, count])).toEqual([
    ["requeued", 1],
    ["requeued", 2],
    ["dead", 3],
  ]);
  expect(await broker.deadLetters.list()).toMatchObject([
    {
      id: "a",
      name: "t.job",
      reason: "attempts-exhausted",
      attempts: 3,
      error: { type: "TypeError", message: "no 3" },
      firstError: { message: "no 1" },
    },
  ]);
});

test("fatal() dies at once; snooze() spends no attempt", async () => {
  let runs = 0;
  const job = define().handler(() => {
    runs += 1;
    return runs === 1 ? snooze("1m") : fatal("never again");
  });
  const { enqueue, history, clock } = await simulatedNode({ jobs: [job] });
  await enqueue("t.job");
  await clock.advance("1m");
  expect(await history()).toMatchObject([
    { state: "requeued", outcome: "snoozed", attempts: 0 },
    {
      state: "dead",
      reason: "fatal",
      attempts: 1,
      error: { type: "fatal", message: "never again" },
    },
  ]);
});

test("a handler is told when its time is up, and is settled without it when it does not listen", async () => {
  let reason: unknown;
  const job = define({ timeout: "1s", grace: "2s", retry: "none" }).handler(({ signal }) => {
    signal.addEventListener("abort", () => (reason = signal.reason));
    return new Promise(() => {});
  });
  const { enqueue, history, clock, node } = await simulatedNode({ jobs: [job] });
  const ignored: string[] = [];
  node.events.on("handler.ignored-abort", ({ id }) => ignored.push(id));
  await enqueue("t.job");
  await clock.advance("1s");
  expect(reason).toMatchObject({ code: "timed-out" });
  expect(await history()).toEqual([]);
  await clock.advance("2s");
  expect(ignored).toEqual(["a"]);
  expect(await history()).toMatchObject([
    { state: "dead", outcome: "timed-out", error: { type: "timed-out" } },
  ]);
});

test("a stop waits for work, then tells it to end, then hands it back unspent, soon after the grace", async () => {
  const job = define().handler(() => new Promise(() => {}));
  const { enqueue, history, clock, node, broker } = await simulatedNode({
    jobs: [job],
    grace: "10s",
  });
  await enqueue("t.job");
  const began = clock.monotonic();
  let endedAt = Number.NaN;
  const stopped = node.stop().then(() => (endedAt = clock.monotonic()));
  await clock.advance("14s");
  await stopped;
  expect(endedAt - began).toBeLessThanOrEqual(14_000);
  expect(await history()).toMatchObject([
    { state: "requeued", outcome: "interrupted", attempts: 0 },
  ]);
  expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 1, running: 0 });
});

test("a second stop is immediate", async () => {
  const job = define().handler(() => new Promise(() => {}));
  const { enqueue, history, clock, node } = await simulatedNode({ jobs: [job], grace: "10s" });
  await enqueue("t.job");
  void node.stop();
  const stopped = node.stop({ immediate: true });
  await clock.advance(0);
  await stopped;
  expect(await history()).toMatchObject([{ outcome: "interrupted" }]);
});

test("a job that takes its holders down is dead after three of them", async () => {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  let runs = 0;
  const job = define().handler(() => {
    runs += 1;
    return new Promise(() => {});
  });
  const start = (name: string) => simulatedNode({ jobs: [job], clock, server, name });
  let holder = await start("n1");
  await holder.enqueue("t.job");
  for (const next of ["n2", "n3", "n4"]) {
    holder.broker.crashHolder();
    holder.broker.disconnect();
    holder = await start(next);
    await clock.advance("2m");
  }
  expect(runs).toBe(3);
  expect(await holder.broker.deadLetters.list()).toMatchObject([
    { reason: "crashed", attempts: 0, error: { type: "crashed" } },
  ]);
});
