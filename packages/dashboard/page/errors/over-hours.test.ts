import { expect, test } from "vitest";
import type { CauseView } from "../../src/api/views/error-views.ts";
import { barsOf, eachHour, hoursOf } from "./over-hours.ts";

const HOUR = 3_600_000;
const NOW = 1_000 * HOUR + 1_234;

const group = (...perHour: CauseView["perHour"]): Pick<CauseView, "perHour"> => ({ perHour });

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

test("attempts count where they are known, and letters where they are not", () => {
  const failed = {
    ...{ failures: 4, died: 1, jobs: 2 },
    perHour: [
      { at: 998 * HOUR, failures: 3, died: 0 },
      { at: 1_000 * HOUR, failures: 1, died: 1 },
    ],
  };
  const one = { failed, perHour: [{ at: 700 * HOUR, count: 9 }] };
  const hours = hoursOf([one], NOW);
  expect(hours.stepMs).toBe(HOUR);
  expect(barsOf(one, hours).slice(-3)).toEqual([3, 0, 1]);
  const { at, failures, died } = eachHour(one, NOW);
  expect([at.length, at[0], at.at(-1)]).toEqual([24, 977 * HOUR, 1_000 * HOUR]);
  expect([failures.slice(-3), died.slice(-3)]).toEqual([
    [3, 0, 1],
    [0, 0, 1],
  ]);
  const week = eachHour(group({ at: 900 * HOUR, count: 2 }), NOW);
  expect(week.at).toHaveLength(168);
  expect([week.failures, week.died].map((of) => of.reduce((a, b) => a + b))).toEqual([2, 2]);
});
