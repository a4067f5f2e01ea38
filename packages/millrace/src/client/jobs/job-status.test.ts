import {
  type HistoryRecord,
  MillraceError,
  type RunningJob,
  UNSETTLED,
  type WaitingJob,
} from "@millrace/core";
import { expect, test } from "vitest";
import { distinct, jobStatus } from "./job-status.ts";

const NOW = 1_000_000;

function record(over: Partial<HistoryRecord>): HistoryRecord {
  return {
    id: "j",
    name: "n",
    queue: "q",
    state: "requeued",
    outcome: "failed",
    attempts: 1,
    generation: 0,
    node: "node",
    at: NOW - 100,
    ...over,
  };
}

function waiting(
  generation: number,
  state: WaitingJob["state"] = "queued",
  storedAt = NOW - 200,
): WaitingJob {
  return {
    state,
    storedAt,
    envelope: {
      id: "j",
      name: "n",
      queue: "q",
      payload: null,
      createdAt: 1,
      headers: {},
      ...UNSETTLED,
      generation,
    },
  };
}

const running: RunningJob = {
  id: "j",
  queue: "q",
  name: "n",
  node: "node",
  attempt: 2,
  startedAt: NOW - 10,
  createdAt: NOW - 20,
};

test("its trace is its last attempt's, or the one that its headers name before it has had one", () => {
  const [first, second] = ["a".repeat(32), "b".repeat(32)];
  const { envelope, ...job } = waiting(0);
  const headers = { traceparent: `00-${first}-${"1".repeat(16)}-01` };
  const traced = { ...job, envelope: { ...envelope, headers } };
  const traceOf = (history: readonly HistoryRecord[], seen?: WaitingJob): string | undefined =>
    jobStatus("j", { history, running: undefined, waiting: seen }, NOW)?.traceId;
  expect(traceOf([], traced)).toBe(first);
  expect(traceOf([record({ traceId: second })], traced)).toBe(second);
  expect(traceOf([record({})])).toBeUndefined();
});

test.each([
  ["nothing seen", {}, undefined],
  ["waits in its queue", { waiting: waiting(0) }, "queued"],
  ["waits for its time", { waiting: waiting(0, "delayed") }, "delayed"],
  ["runs, and so is still in the stream", { waiting: waiting(0), running }, "running"],
  ["succeeded", { history: [record({ state: "succeeded", outcome: "succeeded" })] }, "succeeded"],
  [
    "succeeded, and not acked yet",
    { history: [record({ state: "succeeded" })], waiting: waiting(0) },
    "succeeded",
  ],
  ["requeued and waiting", { history: [record({})], waiting: waiting(1) }, "queued"],
  ["requeued and running again", { history: [record({})], running }, "running"],
  ["requeued, seen nowhere, due later", { history: [record({ notBefore: NOW + 5 })] }, "delayed"],
  ["requeued, seen nowhere, due now", { history: [record({ notBefore: NOW - 5 })] }, "queued"],
  ["dead", { history: [record({ state: "dead" })] }, "dead"],
  ["dead, then retried", { history: [record({ state: "dead" })], waiting: waiting(1) }, "queued"],
  ["dead, then retried and running", { history: [record({ state: "dead" })], running }, "running"],
  ["cancelled", { history: [record({ state: "cancelled", outcome: "cancelled" })] }, "cancelled"],
] as const)("a job that %s", (_what, traces, state) => {
  expect(
    jobStatus("j", { history: [], running: undefined, waiting: undefined, ...traces }, NOW)?.state,
  ).toBe(state);
});

test("attempts, result and error come from the latest record", () => {
  const error = { type: "Error", message: "no" };
  const traces = { running: undefined, waiting: undefined };
  expect(
    jobStatus(
      "j",
      {
        ...traces,
        history: [
          record({ error }),
          record({ state: "succeeded", attempts: 2, generation: 1, output: 7 }),
        ],
      },
      NOW,
    ),
  ).toMatchObject({ attempts: 2, result: 7 });
  expect(jobStatus("j", { ...traces, history: [record({ error })] }, NOW)).toMatchObject({
    attempts: 1,
    error,
  });
});

test("an id in two queues is ambiguous", () => {
  const look = (): unknown =>
    jobStatus(
      "j",
      { history: [record({}), record({ queue: "other" })], running: undefined, waiting: undefined },
      NOW,
    );
  expect(look).toThrow(MillraceError);
  expect(look).toThrow(/other/);
});

test("a record stored twice counts once", () => {
  expect(
    distinct([record({}), record({}), record({ generation: 1 }), record({ sequence: 9 })]),
  ).toHaveLength(3);
});
