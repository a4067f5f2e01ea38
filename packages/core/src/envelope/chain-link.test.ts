import { expect, test } from "vitest";
import { envelope, NOW } from "../settlement/settle.fixture.ts";
import { followingJob } from "./chain-link.ts";

const NEXT = [
  { id: "second", name: "load", queue: "files", lane: "low", maxAttempts: 2, timeoutMs: 5 },
  { name: "tell", queue: "mail" },
] as const;

test("the next job has the result for its payload, the link's settings, nothing counted, and the rest of the chain", () => {
  const done = { ...envelope, attempts: 3, generation: 4, crashes: 1, tags: ["a"], next: NEXT };
  expect(followingJob(done, { output: { rows: 7 }, at: NOW })).toEqual({
    id: "second",
    name: "load",
    queue: "files",
    lane: "low",
    maxAttempts: 2,
    timeoutMs: 5,
    payload: { rows: 7 },
    createdAt: NOW,
    follows: { id: done.id, queue: done.queue },
    unkeyed: NOW * 1_024,
    headers: envelope.headers,
    attempts: 0,
    generation: 0,
    interruptions: 0,
    crashes: 0,
    snoozes: 0,
    next: [NEXT[1]],
  });
});

test("without an id of its own it has one that is the same each time, and never too long", () => {
  const link = [NEXT[1]];
  expect(followingJob({ ...envelope, id: "a", next: link }, { at: NOW })).toMatchObject({
    id: "a:next",
    payload: null,
  });
  const long = followingJob(
    { ...envelope, id: "x".repeat(128), next: link },
    { output: 1, at: NOW },
  );
  expect(long?.id).toBe(`${"x".repeat(123)}:next`);
});

test("the end of a chain is followed by nothing", () => {
  expect(followingJob({ ...envelope, next: [] }, { output: 1, at: NOW })).toBeUndefined();
  expect(followingJob(envelope, { output: 1, at: NOW })).toBeUndefined();
});

test("jobs of one id that end in one millisecond are not followed by the same job", () => {
  const done = { ...envelope, next: NEXT };
  const after = (sequence: number) => followingJob(done, { at: NOW, sequence });
  const marks = [81, 82, 81].map((sequence) => after(sequence)?.unkeyed);
  expect(marks[0]).toBe(marks[2]);
  expect(marks[0]).not.toBe(marks[1]);
  expect(Number.isSafeInteger(marks[1])).toBe(true);
});
