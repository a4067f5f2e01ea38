import { expect, test } from "vitest";
import { MemoryBudget, type MemoryUser } from "./memory-budget.ts";

const MB = 1_000_000;

interface Job extends MemoryUser {
  started: boolean;
}

function jobOf(bytes: number, values: number, onStart?: (job: Job) => void): Job {
  const job = {
    bytes,
    values: undefined as number | undefined,
    counted: 0,
    started: false,
    start() {
      job.started = true;
      job.values = values;
      onStart?.(job);
    },
  };
  return job;
}

test("as many jobs start as there is room for at their worst, and the rest when one has left", () => {
  const budget = new MemoryBudget(60 * MB, 100_000);
  const worst = Array.from({ length: 16 }, () => jobOf(MB, 100_000));
  for (const job of worst) budget.enter(job);
  const running = (): Job[] => worst.filter(({ started }) => started);
  expect(running()).toHaveLength(2);
  for (let left = 0; left < 16; left += 1) {
    const next = worst[left] as Job;
    expect(next.started).toBe(true);
    budget.leave(next);
    expect(running()).toHaveLength(Math.min(16, left + 3));
  }
  expect(budget.freeBytes).toBe(60 * MB);
});

test("a job that turns out small makes room for others at once", () => {
  const budget = new MemoryBudget(60 * MB, 100_000);
  const texts = Array.from({ length: 10 }, () => jobOf(MB, 3));
  for (const job of texts) budget.enter(job);
  expect(texts.every(({ started }) => started)).toBe(true);
});

test("one that is larger than everything starts alone, and small ones behind it wait their turn", () => {
  const budget = new MemoryBudget(MB, 100_000);
  const large = jobOf(MB, 100_000);
  const small = jobOf(100, 5);
  budget.enter(large);
  budget.enter(small);
  expect([large.started, small.started]).toEqual([true, false]);
  expect(budget.room()).toBe(0);
  budget.leave(large);
  expect(small.started).toBe(true);
  let told = 0;
  budget.onRoom(() => (told += 1));
  budget.leave(small);
  expect([told, budget.room()]).toEqual([1, 1]);
});

test("who was told that there is no room is told when there is", () => {
  const budget = new MemoryBudget(30 * MB, 100_000);
  let told = 0;
  budget.onRoom(() => (told += 1));
  const job = jobOf(MB, 100_000);
  budget.enter(job);
  expect([budget.room(), budget.isShort]).toEqual([0, true]);
  budget.leave(job);
  expect([told, budget.isShort]).toEqual([1, false]);
  // Nobody was told otherwise meanwhile.
  const next = jobOf(100, 3);
  budget.enter(next);
  budget.leave(next);
  expect(told).toBe(1);
});

test("a job that leaves while it waits, or while it starts, is counted no more", () => {
  const budget = new MemoryBudget(30 * MB, 100_000);
  const first = jobOf(MB, 100_000);
  const waiting = jobOf(MB, 100_000);
  const quick = jobOf(10, 1, (job) => budget.leave(job));
  const last = jobOf(10, 1);
  for (const job of [first, waiting, quick, last]) budget.enter(job);
  budget.leave(waiting);
  budget.leave(waiting);
  budget.leave(first);
  expect([waiting.started, quick.started, last.started]).toEqual([false, true, true]);
  budget.leave(last);
  expect(budget.freeBytes).toBe(30 * MB);
});

test("small jobs are never held up: a thousand in hand fit into a small heap", () => {
  const budget = new MemoryBudget(128 * MB, 100_000);
  const jobs = Array.from({ length: 1_000 }, () => jobOf(300, 25));
  for (const job of jobs) {
    expect(budget.room()).toBeGreaterThan(16);
    budget.enter(job);
  }
  expect(jobs.every(({ started }) => started)).toBe(true);
});
