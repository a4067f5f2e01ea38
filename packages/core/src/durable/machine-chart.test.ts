import { expect, test } from "vitest";
import { createMachine, fromPromise, setup } from "xstate";
import { activeStates, chartOf, readCharts } from "./machine-chart.ts";
import { orderChart } from "./order-chart.fixture.ts";

const chart = setup({
  actors: { pay: fromPromise(async () => 1) },
  guards: { isOk: () => true },
}).createMachine({
  id: "claim",
  initial: "asking",
  on: { STOP: ".gone", NOTE: { actions: () => {} } },
  states: {
    asking: {
      initial: "open",
      states: { open: { on: { A: "closed" } }, closed: { type: "final" } },
      onDone: "paying",
      after: { 7_200_000: "gone", 1_500: { target: "gone", guard: () => true } },
    },
    paying: {
      invoke: {
        ...{ id: "p", src: "pay", onDone: "both" },
        onError: [{ guard: "isOk", target: "gone" }, { target: "asking" }],
      },
    },
    both: {
      type: "parallel",
      states: {
        x: { initial: "x1", states: { x1: { always: { guard: "isOk", target: "x2" } }, x2: {} } },
        y: { initial: "y1", states: { y1: { on: { "*": "last" } }, last: { type: "history" } } },
      },
    },
    gone: { type: "final" },
  },
});

test("a chart's picture has its states, those around before those within", () => {
  const { states, beginnings } = chartOf("claim", 3, chart);
  expect(states).toEqual([
    { path: "asking", kind: "compound", invokes: [] },
    { path: "asking.open", parent: "asking", kind: "atomic", invokes: [] },
    { path: "asking.closed", parent: "asking", kind: "final", invokes: [] },
    { path: "paying", kind: "atomic", invokes: ["pay"] },
    { path: "both", kind: "parallel", invokes: [] },
    { path: "both.x", parent: "both", kind: "compound", invokes: [] },
    { path: "both.x.x1", parent: "both.x", kind: "atomic", invokes: [] },
    { path: "both.x.x2", parent: "both.x", kind: "atomic", invokes: [] },
    { path: "both.y", parent: "both", kind: "compound", invokes: [] },
    { path: "both.y.y1", parent: "both.y", kind: "atomic", invokes: [] },
    { path: "both.y.last", parent: "both.y", kind: "history", invokes: [] },
    { path: "gone", kind: "final", invokes: [] },
  ]);
  expect(beginnings).toEqual([
    { of: "", at: ["asking"] },
    { of: "asking", at: ["asking.open"] },
    { of: "both.x", at: ["both.x.x1"] },
    { of: "both.y", at: ["both.y.y1"] },
  ]);
});

test("its ways are named by what they wait for, and those that stay are left out", () => {
  const { transitions } = chartOf("claim", 3, chart);
  const ways = transitions.map(
    ({ from, to, label, guard }) =>
      `${from} -> ${to.join("+")}: ${label}${guard === undefined ? "" : ` [${guard}]`}`,
  );
  expect(ways).toEqual([
    " -> gone: STOP",
    "asking -> paying: done",
    "asking -> gone: after 1500ms [a condition]",
    "asking -> gone: after 2h",
    "asking.open -> asking.closed: A",
    "paying -> both: pay done",
    "paying -> gone: pay failed [isOk]",
    "paying -> asking: pay failed",
    "both.x.x1 -> both.x.x2: always [isOk]",
    "both.y.y1 -> both.y.last: anything else",
  ]);
  expect(transitions[2]?.event).toBe("xstate.after.1500.claim.asking");
});

test("a picture is plain JSON, and what is stored of pictures is told from what is not", () => {
  const picture = chartOf("order", 1, orderChart);
  expect(JSON.parse(JSON.stringify(picture))).toEqual(picture);
  expect(picture.transitions.map(({ label }) => label)).toContain("after week");
  expect(readCharts({ v: 1, charts: [picture] })).toEqual({ v: 1, charts: [picture] });
  for (const other of [undefined, { v: 1, absent: true }, { v: 2, charts: [] }, "x"])
    expect(readCharts(other)).toBeUndefined();
});

test.each([
  ["open", ["open"]],
  [{ asking: "open", both: { x: "x1", y: {} } }, ["asking.open", "both.x.x1", "both.y"]],
  [undefined, []],
])("of the value %j the innermost states are %j", (value, states) => {
  expect(activeStates(value)).toEqual(states);
});

test("whoever goes to the chart itself begins anew, in all regions of a parallel one", () => {
  const ways = (given: Parameters<typeof chartOf>[2]) =>
    chartOf("m", 1, given).transitions.map(({ from, to }) => `${from} -> ${to.join("+")}`);
  const again = { on: { RESET: "#m" } };
  const states = { a: again, b: {} };
  expect(ways(createMachine({ id: "m", initial: "b", states }))).toEqual(["a -> b"]);
  expect(ways(createMachine({ id: "m", type: "parallel", states }))).toEqual(["a -> a+b"]);
});
