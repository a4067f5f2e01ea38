import { expect, test } from "vitest";
import type { AttemptView } from "../../src/api/views/views.ts";
import { executionState, executionTrail } from "./execution-trail.ts";

const ended = (state: string, outcome: string, startedAt?: number): AttemptView => ({
  ...{ state, outcome, attempts: 1, node: "n1", at: 2_000 },
  ...(startedAt === undefined ? {} : { startedAt }),
});

const way = (job: Parameters<typeof executionTrail>[0]): readonly string[] =>
  executionTrail(job)
    .toReversed()
    .map(({ event, state }) => `${event}>${state}`);

test("a job that failed, waits and runs again: each delivery begins anew", () => {
  const job = { state: "running", history: [ended("requeued", "failed", 1_000)] };
  expect(way(job)).toEqual([
    ...["xstate.init>queued", "START>running", "FAIL>failed", ">requeued"],
    ...["xstate.init>queued", "START>running"],
  ]);
  expect(executionState(job)).toBe("running");
});

test("a job that has ended is where its last delivery ended", () => {
  const history = [ended("requeued", "blocked"), ended("succeeded", "succeeded", 1_000)];
  expect(way({ state: "succeeded", history })).toEqual([
    ...["xstate.init>queued", "BLOCK>requeued"],
    ...["xstate.init>queued", "START>running", "SUCCEED>succeeded"],
  ]);
  expect(executionState({ state: "succeeded", history })).toBe("succeeded");
});

test.each([
  ["delayed", [ended("requeued", "snoozed", 1_000)], "requeued"],
  ["blocked", [ended("requeued", "blocked")], "requeued"],
  ["delayed", [], undefined],
  ["dead", [], "dead"],
  ["expired", [], "expired"],
  ["queued", [ended("requeued", "interrupted", 1_000)], "queued"],
])("one that is %s after %o", (state, history, expected) => {
  expect(executionState({ state, history })).toBe(expected);
});
