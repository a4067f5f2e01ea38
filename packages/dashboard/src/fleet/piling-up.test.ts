import { expect, test } from "vitest";
import type { FleetSample } from "./fleet.ts";
import { pilingUpSince } from "./piling-up.ts";

const NOW = 1_000_000_000;
const MINUTE_MS = 60_000;

/** One a minute, the last one half a minute ago. */
function minutes(counts: readonly number[]): readonly FleetSample[] {
  return counts.map((queued, n) => ({
    at: NOW - (counts.length - n - 0.5) * MINUTE_MS,
    ...{ slots: 10, used: 10 },
    queues: {
      mail: { queued, running: 10, delayed: 0, blocked: 0, dead: 0, oldestAgeMs: 1 },
    },
  }));
}

test.each<[string, readonly number[], number, number | undefined]>([
  ["each minute more", [100, 120, 150, 170, 200, 230, 260, 300, 340, 380], 400, 100],
  ["from nothing", [0, 0, 10, 20, 30, 50, 70, 90, 110, 130], 150, 0],
  ["a minute with fewer among them", [100, 120, 110, 170, 200, 260, 250, 300, 340, 380], 400, 100],
  [
    "what is older than ten minutes",
    [9e9, 100, 120, 150, 170, 200, 230, 260, 300, 340, 380],
    400,
    100,
  ],
  ["up and down", [100, 400, 100, 400, 100, 400, 100, 400, 100, 400], 400, undefined],
  ["always as many", [400, 400, 400, 400, 400, 400, 400, 400, 400, 400], 400, undefined],
  [
    "slowly more of very many",
    [1e5, 1e5, 1e5, 1e5, 1e5, 1e5 + 1, 1e5 + 2, 1e5 + 3, 1e5 + 4, 1e5 + 5],
    1e5 + 6,
    undefined,
  ],
  ["few", [0, 1, 2, 3, 4, 50, 60, 70, 80, 90], 99, undefined],
  [
    "very many at once, which become fewer",
    [0, 0, 0, 0, 0, 1e5, 8e4, 6e4, 4e4, 2e4],
    1e4,
    undefined,
  ],
  [
    "grown, and gone since the last sample",
    [100, 120, 150, 170, 200, 230, 260, 300, 340, 380],
    0,
    undefined,
  ],
  ["a dashboard that has begun lately", [0, 100, 200, 300, 400], 500, undefined],
  ["no samples", [], 400, undefined],
])("a queue that piles up is told from its samples: %s", (_what, counts, queued, expected) => {
  expect(pilingUpSince(minutes(counts), { queue: "mail", queued }, NOW)).toBe(expected);
});

test("a queue that came since the first samples had none waiting then", () => {
  const counts = [0, 0, 0, 0, 0, 100, 200, 300, 400, 500];
  const samples = minutes(counts).map(({ queues, ...sample }, n) => ({
    ...sample,
    queues: n < 5 ? {} : queues,
  }));
  expect(pilingUpSince(samples, { queue: "mail", queued: 600 }, NOW)).toBe(0);
});
