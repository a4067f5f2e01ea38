import { expect, test } from "vitest";
import type { DeadGroupView } from "../src/api/dead-views.ts";
import { barsOf, hoursOf } from "./over-hours.ts";

const HOUR = 3_600_000;
const NOW = 1_000 * HOUR + 1_234;

const group = (...perHour: DeadGroupView["perHour"]): DeadGroupView => ({
  ...{ queue: "mail", name: "send", reason: "fatal", error: null, count: 1, lastId: "a" },
  ...{ fingerprint: null, firstAt: 0, lastAt: NOW, perHour },
  ...{ nodes: [], nodeCount: 0 },
});

test("a day has a bar for each hour, the one that is under way last", () => {
  const one = group({ at: 977 * HOUR, count: 2 }, { at: 1_000 * HOUR, count: 5 });
  const hours = hoursOf([one, group()], NOW);
  expect(hours).toEqual({ from: 977 * HOUR, stepMs: HOUR });
  const bars = barsOf(one, hours);
  expect(bars).toHaveLength(24);
  expect([bars[0], bars[23], bars.reduce((a, b) => a + b)]).toEqual([2, 5, 7]);
  expect(barsOf(group(), hours).every((count) => count === 0)).toBe(true);
});

test("what is older makes bars wider, up to a week; what is older than that has none", () => {
  const week = group({ at: 700 * HOUR, count: 9 }, { at: 900 * HOUR, count: 1 });
  const hours = hoursOf([week], NOW);
  expect(hours).toEqual({ from: 833 * HOUR, stepMs: 7 * HOUR });
  expect(barsOf(week, hours).reduce((a, b) => a + b)).toBe(1);
  expect(hoursOf([group({ at: 970 * HOUR, count: 1 })], NOW).stepMs).toBe(2 * HOUR);
});
