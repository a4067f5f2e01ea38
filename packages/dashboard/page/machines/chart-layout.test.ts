import { expect, test } from "vitest";
import type { ChartView } from "../../src/api/views/machine-views.ts";
import { chartLayout, isDrawable, type Place } from "./chart-layout.ts";

const state = (path: string, kind: ChartView["states"][number]["kind"] = "atomic") => {
  const parent = path.includes(".") ? path.slice(0, path.lastIndexOf(".")) : undefined;
  return { path, kind, invokes: [], ...(parent === undefined ? {} : { parent }) };
};
const way = (from: string, label: string, ...to: readonly string[]) => ({
  ...{ from, to, event: label, label },
});

/** Nested and parallel states, and every kind of way: into them, out of them, to themselves. */
const CHART: ChartView = {
  states: [
    state("idle"),
    state("busy", "parallel"),
    state("busy.left", "compound"),
    state("busy.left.a"),
    state("busy.left.b"),
    state("busy.right", "compound"),
    state("busy.right.c"),
    state("busy.right.back", "history"),
    state("gone", "final"),
  ],
  transitions: [
    way("idle", "GO", "busy"),
    { ...way("idle", "SKIP", "gone"), guard: "isTired" },
    way("idle", "GIVE_UP", "gone"),
    way("busy.left.a", "NEXT", "busy.left.b"),
    way("busy.left.b", "JUMP", "busy.left.a", "busy.right.c"),
    way("busy", "RESET", "busy"),
    way("idle", "AGAIN", "idle"),
    way("", "STOP", "gone"),
  ],
  beginnings: [
    { of: "", at: ["idle"] },
    { of: "busy.left", at: ["busy.left.a"] },
    { of: "busy.right", at: ["busy.right.c"] },
  ],
};

const edges = ({ x, y, width, height }: Place) => ({
  ...{ left: x - width / 2, right: x + width / 2, top: y - height / 2, bottom: y + height / 2 },
});

test("every state has a place in the one around it, and no two boxes lie on each other", () => {
  const { boxes, groups, width, height } = chartLayout(CHART);
  expect([...boxes, ...groups].map(({ state: { path } }) => path).toSorted()).toEqual(
    CHART.states.map(({ path }) => path).toSorted(),
  );
  const whole = { left: 0, top: 0, right: width, bottom: height };
  for (const placed of [...boxes, ...groups]) {
    const around = groups.find((group) => group.state.path === placed.state.parent);
    const outer = around === undefined ? whole : edges(around);
    const inner = edges(placed);
    expect(inner.left, placed.name).toBeGreaterThanOrEqual(outer.left);
    expect(inner.top, placed.name).toBeGreaterThanOrEqual(outer.top);
    expect(inner.right, placed.name).toBeLessThanOrEqual(outer.right);
    expect(inner.bottom, placed.name).toBeLessThanOrEqual(outer.bottom);
  }
  for (const one of boxes)
    for (const other of boxes) {
      if (one === other) continue;
      const [a, b] = [edges(one), edges(other)];
      const apart =
        a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
      expect(apart, `${one.name} and ${other.name}`).toBe(true);
    }
});

test("ways between the same two states are one with several labels; beginnings have none", () => {
  const { ways } = chartLayout(CHART);
  const labels = Object.fromEntries(ways.map(({ key, labels }) => [key, labels]));
  expect(labels["idle gone"]).toEqual(["SKIP [isTired]", "GIVE_UP"]);
  expect(labels["busy.left.b busy.right.c"]).toEqual(["JUMP"]);
  expect(labels["busy busy"]).toEqual(["RESET"]);
  expect(labels[" any state gone"]).toEqual(["STOP"]);
  for (const beginning of [" start idle", "busy busy.left", "busy.right busy.right.c"])
    expect(labels[beginning]).toEqual([]);
  for (const { points } of ways) expect(points.length).toBeGreaterThan(1);
});

test("a chart of one state is drawn, and nothing stands for any state where no way leads out", () => {
  const { boxes, anyState } = chartLayout({
    states: [state("open")],
    transitions: [],
    beginnings: [{ of: "", at: ["open"] }],
  });
  expect(boxes).toHaveLength(1);
  expect(anyState).toBeUndefined();
});

test("a state may be called what an object has of its own", () => {
  const paths = ["constructor", "toString", "__proto__", "constructor.valueOf"];
  const { boxes, groups } = chartLayout({
    states: paths.map((path) => state(path)),
    transitions: [way("toString", "GO", "__proto__"), way("__proto__", "GO", "constructor")],
    beginnings: [{ of: "", at: ["toString"] }],
  });
  const named = [...groups, ...boxes].map(({ state: { path } }) => path);
  expect(named.toSorted()).toEqual(paths.toSorted());
});

test("where all states begin at once, the start leads to each", () => {
  const { ways } = chartLayout({
    ...{ states: [state("left"), state("right")], transitions: [], beginnings: [] },
  });
  expect(ways.map(({ key }) => key)).toEqual([" start left", " start right"]);
});

test("a chart that nobody could read is not drawn", () => {
  const states = Array.from({ length: 81 }, (_, n) => state(`s${n}`));
  expect(isDrawable({ ...CHART, states })).toBe(false);
  expect(isDrawable(CHART)).toBe(true);
});
