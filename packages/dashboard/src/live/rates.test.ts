import { expect, test } from "vitest";
import { Rates } from "./rates.ts";

test("attempts are counted by how they ended, in steps that have ended, empty ones too", () => {
  const rates = new Rates();
  rates.count({ state: "succeeded", outcome: "succeeded" }, 1_000);
  rates.count({ state: "requeued", outcome: "failed" }, 2_000);
  rates.count({ state: "requeued", outcome: "snoozed" }, 2_000);
  rates.count({ state: "dead", outcome: "failed" }, 12_000);
  expect(rates.list(16_000)).toEqual([
    { at: 5_000, succeeded: 1, failed: 1, dead: 0 },
    { at: 10_000, succeeded: 0, failed: 0, dead: 0 },
    { at: 15_000, succeeded: 0, failed: 0, dead: 1 },
  ]);
});

test("they are kept for a quarter of an hour, and begin anew where the clock is set", () => {
  const rates = new Rates();
  for (let now = 0; now < 3_600_000; now += 5_000)
    rates.count({ state: "succeeded", outcome: "succeeded" }, now);
  expect(rates.list(3_600_000)).toHaveLength(179);
  expect(rates.list(10_000)).toEqual([]);
  rates.count({ state: "succeeded", outcome: "succeeded" }, 1e12);
  expect(rates.list(1e12 + 5_000)).toMatchObject([{ succeeded: 1 }]);
});
