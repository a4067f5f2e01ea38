import { expect, test } from "vitest";
import { stretchesOf } from "./stretches.ts";

type Job = Parameters<typeof stretchesOf>[0];

const shown = (job: Job, now = 10_000): readonly string[] =>
  stretchesOf(job, now).map(({ kind, from, to, words }) => `${kind} ${from}-${to} ${words}`);
const attempt = { node: "n1", attempts: 1 };

test("waiting, an attempt, a delay, waiting for a slot and a success follow each other", () => {
  const history = [
    {
      ...attempt,
      state: "requeued",
      outcome: "failed",
      startedAt: 1_200,
      at: 1_500,
      notBefore: 2_500,
    },
    {
      ...attempt,
      state: "succeeded",
      outcome: "succeeded",
      attempts: 2,
      startedAt: 2_600,
      at: 4_000,
    },
  ];
  expect(shown({ createdAt: 1_000, state: "succeeded", history })).toEqual([
    "waiting 1000-1200 waited for a slot",
    "failed 1200-1500 attempt 1: failed",
    "delayed 1500-2500 delayed",
    "waiting 2500-2600 waited for a slot",
    "good 2600-4000 attempt 2: succeeded",
  ]);
});

test("a job that waits still is waited for until now; one that runs is not", () => {
  const history = [
    {
      ...attempt,
      state: "requeued",
      outcome: "failed",
      startedAt: 1_000,
      at: 2_000,
      notBefore: 20_000,
    },
  ];
  expect(shown({ createdAt: 1_000, state: "delayed", history }).at(-1)).toBe(
    "delayed 2000-10000 delayed",
  );
  expect(shown({ createdAt: 1_000, state: "running", history }).at(-1)).toBe(
    "failed 1000-2000 attempt 1: failed",
  );
  const running = { node: "n2", attempt: 2, startedAt: 5_000 };
  expect(shown({ createdAt: 1_000, state: "running", history, running }).slice(-2)).toEqual([
    "delayed 2000-5000 delayed",
    "busy 5000-10000 attempt 2: running",
  ]);
  expect(shown({ createdAt: 4_000, state: "running", history: [], running })).toEqual([
    "waiting 4000-5000 waited for a slot",
    "busy 5000-10000 attempt 2: running",
  ]);
});

test("a job that was enqueued for later was delayed first, and one at its limit waits for that", () => {
  const ended = { ...attempt, state: "succeeded", outcome: "succeeded", at: 9_500 };
  const history = [{ ...ended, startedAt: 9_000, waitedMs: 250 }];
  expect(shown({ createdAt: 1_000, state: "succeeded", history })).toEqual([
    "delayed 1000-8750 delayed",
    "waiting 8750-9000 waited for a slot",
    "good 9000-9500 attempt 1: succeeded",
  ]);
  expect(shown({ createdAt: 1_000, state: "delayed", history: [] })).toEqual([
    "delayed 1000-10000 delayed",
  ]);
  const blocked = [{ ...attempt, state: "requeued", outcome: "blocked", at: 2_000 }];
  expect(shown({ createdAt: 1_000, state: "blocked", history: blocked })).toEqual([
    "waiting 1000-2000 waited for a slot",
    "waiting 2000-10000 waited for its limit",
  ]);
});

test("clocks that differ make no piece that ends before it begins", () => {
  const history = [
    { ...attempt, state: "requeued", outcome: "failed", startedAt: 900, at: 800, notBefore: 700 },
    { ...attempt, state: "dead", outcome: "failed", attempts: 2, startedAt: 850, at: 860 },
  ];
  for (const { from, to } of stretchesOf({ createdAt: 5_000, state: "dead", history }, 0))
    expect(to).toBeGreaterThanOrEqual(from);
});

test("of a job without a record nothing is known", () => {
  expect(shown({ state: "queued", history: [] })).toEqual([]);
  expect(shown({ createdAt: 9_000, state: "queued", history: [] })).toEqual([
    "waiting 9000-10000 waited for a slot",
  ]);
});
