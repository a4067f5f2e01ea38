// From when an attempt could have started to when it did: as the event, the trace, the metric and
// the history have it.
import { defineJob, noMetrics, type MetricsCollector, retryAfter, snooze } from "@millrace/core";
import { MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { latch, makeNode, QUEUE, type SimulatedNode } from "../fixtures/simulated-node.ts";

const work = defineJob({
  name: "t.work",
  queue: QUEUE,
  retry: { attempts: 5, backoff: "fixed", base: "30s", jitter: false },
  timeout: "1h",
});
const only = defineJob({ name: "t.only", queue: QUEUE, singleton: true, timeout: "1h" });

interface Waits {
  /** Of each start, milliseconds. */
  readonly waited: readonly number[];
  /** As the metric has it, seconds. */
  readonly observed: readonly number[];
}

/** A fleet of nodes on one server, and how long each start waited. */
function fleet() {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const [waited, observed]: [number[], number[]] = [[], []];
  const metrics: MetricsCollector = {
    ...noMetrics,
    observe: (name, _labels, value) => {
      if (name === "millrace_job_schedule_to_start_seconds") observed.push(value);
    },
  };
  const node = async (name: string, handle: () => unknown): Promise<SimulatedNode> => {
    const made = makeNode({
      name,
      clock,
      server,
      metrics,
      jobs: [work.handler(handle), only.handler(handle)],
    });
    made.node.events.on("job.started", ({ waitedMs }) => waited.push(waitedMs));
    await made.node.start();
    return made;
  };
  return { clock, node, waits: { waited, observed } satisfies Waits };
}

test("what a shutdown interrupted waits since it was handed back", async () => {
  const { clock, node, waits } = fleet();
  const stopping = await node("n1", () => latch().promise);
  await stopping.enqueue("t.work");
  await clock.advance("10m");
  const stopped = stopping.node.stop();
  await clock.advance("1m");
  await stopped;
  const [{ at = 0 } = {}] = await stopping.history();
  await clock.advance("20s");
  const second = clock.now() - at;
  await node("n2", () => "done");
  await clock.advance(0);
  expect(waits).toEqual({ waited: [0, second], observed: [0] });
});

test("what a dead node had waits since it came again", async () => {
  const { clock, node, waits } = fleet();
  const dying = await node("n1", () => latch().promise);
  await dying.enqueue("t.work");
  await clock.advance("10m");
  dying.broker.crashHolder();
  await node("n2", () => "done");
  await clock.advance("5m");
  expect(waits.waited).toHaveLength(2);
  expect(waits.waited[1]).toBeLessThan(1_000);
  expect(waits.observed).toEqual([0]);
});

test.each<[string, () => unknown]>([
  ["a retry with a delay", () => Promise.reject(new Error("no"))],
  ["a retry at once", () => Promise.reject(retryAfter(0, "no"))],
  ["a job that wants to be run again", () => Promise.resolve(snooze("1s"))],
])("%s waits since it was due, not since it was enqueued", async (_, end) => {
  const { clock, node, waits } = fleet();
  const ends = [end, end, () => "done"];
  const made = await node("n1", async () => {
    const { promise, open } = latch();
    clock.setTimer(60_000, open);
    await promise;
    return ends.shift()?.();
  });
  await made.enqueue("t.work");
  await clock.advance("10m");
  expect(waits).toEqual({ waited: [0, 0, 0], observed: [0] });
});

test("what stands at a limit waits since its own start time, however often it is sent back", async () => {
  const { clock, node, waits } = fleet();
  const held = latch();
  const made = await node("n1", () => held.promise);
  await made.enqueue("t.only");
  await made.enqueue("t.only", null, { id: "b", notBefore: clock.now() + 60_000 });
  await clock.advance("11m");
  held.open();
  await clock.advance("1m");
  const [first, second = 0] = waits.waited;
  expect([first, waits.waited.length]).toEqual([0, 2]);
  expect(second).toBeGreaterThanOrEqual(600_000);
  expect(second).toBeLessThan(660_000);
  const told = await made.history("b");
  const runs = told.filter(({ startedAt }) => startedAt !== undefined);
  expect(runs.map(({ waitedMs }) => waitedMs)).toEqual([second]);
  const moved = told.filter(({ startedAt }) => startedAt === undefined);
  expect(moved.length).toBeGreaterThan(0);
  for (const record of moved) expect(record).not.toHaveProperty("waitedMs");
});
