import { describe, expect, test } from "vitest";
import { LaneTurns } from "./lane-turns.ts";
import { DEFAULT_LANE_WEIGHTS, LANE_NAMES, type LaneName, laneWeights } from "./lanes.ts";

function served(turns: LaneTurns, lanes: readonly LaneName[], times: number): LaneName[] {
  return Array.from({ length: times }, () => turns.next(lanes) as LaneName);
}

function count(order: readonly LaneName[], lane: LaneName): number {
  return order.filter((name) => name === lane).length;
}

describe("turns", () => {
  test("are shared by weight, spread evenly, and the low lane never waits longer than one round", () => {
    const order = served(new LaneTurns(DEFAULT_LANE_WEIGHTS), LANE_NAMES, 100);
    expect(LANE_NAMES.map((lane) => count(order, lane))).toEqual([60, 30, 10]);
    for (let from = 0; from + 10 <= order.length; from += 1)
      expect(count(order.slice(from, from + 10), "low")).toBeGreaterThan(0);
  });

  test("a lane that can't be served leaves its share to the others", () => {
    const turns = new LaneTurns(DEFAULT_LANE_WEIGHTS);
    expect(count(served(turns, ["normal", "low"], 40), "low")).toBe(10);
    expect(served(turns, ["low"], 3)).toEqual(["low", "low", "low"]);
    expect(turns.next([])).toBeUndefined();
  });

  test("a lane that was away has saved up nothing", () => {
    const turns = new LaneTurns(DEFAULT_LANE_WEIGHTS);
    served(turns, ["normal"], 1_000);
    const order = served(turns, LANE_NAMES, 10);
    expect(LANE_NAMES.map((lane) => count(order, lane))).toEqual([6, 3, 1]);
  });
});

describe("weights", () => {
  test("have defaults, one by one", () => {
    expect(laneWeights()).toEqual({ high: 6, normal: 3, low: 1 });
    expect(laneWeights({ low: 5 })).toEqual({ high: 6, normal: 3, low: 5 });
  });

  test.each([
    [{ low: 0 }, "weights.low"],
    [{ high: 1.5 }, "weights.high"],
    [{ normal: 1_001 }, "weights.normal"],
    [{ urgent: 3 }, "weights.urgent"],
  ])("%j is refused, naming the field", (given, field) => {
    expect(() => laneWeights(given as object)).toThrow(
      expect.objectContaining({
        code: "invalid-option",
        message: expect.stringContaining(field) as string,
      }),
    );
  });
});
