import type { MachineDocument, MachineTimer } from "@millrace/core";
import { expect, test } from "vitest";
import { judgeKept } from "./judge-kept.ts";

function machine(id: string, timers: readonly Partial<MachineTimer>[], more = {}) {
  const timer = { at: 1, event: { type: "xstate.after.1" } };
  return {
    ...{ v: 1, machine: "order", id, version: 1, run: "r", rev: 1, status: "active" },
    ...{ value: "a", context: {}, cursor: 0, cause: "", pending: [], children: {}, invoked: 0 },
    ...{ tickRev: 0, seen: [], trail: [], startedAt: 0, changedAt: 0 },
    timers: Object.fromEntries(timers.map((one, n) => [`t${n}`, { ...timer, ...one }])),
    ...more,
  } as MachineDocument;
}

test("machines that keep what their chart could not take are named, by their kind", () => {
  const kept = ["a", "b", "c", "d"].map((id, n) => machine(id, [{}, { failed: n + 1 }]));
  expect(judgeKept([...kept, machine("s", [{ failed: 2 }], { machine: "stock" })])).toMatchObject([
    {
      ...{ check: "machines order", status: "warn" },
      message:
        "4 machines keep a timer or a job's end that the chart could not take in up to 4 tries: d, c, b, and 1 more",
      advice: expect.stringContaining("millrace machines get order d") as string,
    },
    {
      check: "machines stock",
      message: expect.stringMatching(/^1 machine keeps .* 2 tries: s$/) as string,
    },
  ]);
});

test.each([
  ["nothing has failed", machine("a", [{}])],
  ["it waits for nothing", machine("a", [])],
  ["it has ended", machine("a", [{ failed: 3 }], { status: "stopped" })],
])("none is named where %s", (_, one) => {
  expect(judgeKept([one])).toEqual([]);
});
