import { type Logger, type MetricsCollector, noMetrics, silentLogger } from "@millrace/core";
import { expect, test } from "vitest";
import { watchLoop } from "./loop-watch.ts";

/** A clock whose timers fire when the test says, however late that is. */
function scene(log?: Logger, isCounting = true) {
  const lines: unknown[] = [];
  const noting: Logger = {
    ...silentLogger,
    warn: (fields, message) => void lines.push({ ...fields, message }),
  };
  const stalled: number[] = [];
  const counting: Pick<MetricsCollector, "increment"> = {
    increment: (name, _labels, by = 1) => {
      if (name === "millrace_loop_stalled_seconds_total") stalled.push(by);
    },
  };
  const time = { now: 0 };
  let timers: { readonly fire: () => void }[] = [];
  const watch = watchLoop({
    log: log ?? noting,
    metrics: isCounting ? counting : noMetrics,
    clock: {
      monotonic: () => time.now,
      setTimer: (_ms, fire) => {
        const timer = { fire };
        timers.push(timer);
        return { cancel: () => void (timers = timers.filter((other) => other !== timer)) };
      },
    },
    running: () => [
      { id: "b", name: "quick", queue: "work", node: "n", attempt: 1, startedAt: 9, createdAt: 1 },
      { id: "a", name: "prime", queue: "work", node: "n", attempt: 1, startedAt: 5, createdAt: 1 },
    ],
  });
  return {
    lines,
    stalled,
    watch,
    timers: () => timers.length,
    pass: (ms: number) => {
      time.now += ms;
      for (const timer of timers.splice(0)) timer.fire();
    },
  };
}

test("a loop that stood still is counted, and a line with the jobs that ran, the longest first", () => {
  const { lines, stalled, pass } = scene();
  pass(1_000);
  pass(101_000);
  pass(1_000);
  expect(stalled).toEqual([100]);
  expect(lines).toEqual([
    {
      stalledMs: 100_000,
      running: 2,
      jobs: [
        { job: "a", name: "prime", queue: "work" },
        { job: "b", name: "quick", queue: "work" },
      ],
      message: expect.stringContaining("the event loop stalled") as string,
    },
  ]);
});

test("one that is late as on a busy machine is none", () => {
  const { lines, stalled, pass } = scene();
  for (let n = 0; n < 10; n += 1) pass(5_900);
  expect([...lines, ...stalled]).toEqual([]);
});

test("it counts also where there is no log", () => {
  const { stalled, pass } = scene(silentLogger);
  pass(8_000);
  expect(stalled).toEqual([7]);
});

test("it leaves no timer behind, and sets none where nobody is told", async () => {
  const { timers, watch } = scene();
  expect(timers()).toBe(1);
  await watch.stop();
  expect(timers()).toBe(0);
  expect(scene(silentLogger, false).timers()).toBe(0);
});
