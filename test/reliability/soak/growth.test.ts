import fc from "fast-check";
import { expect, it } from "vitest";
import { growthOf } from "./growth.ts";

const HOUR_MS = 3_600_000;

function seen(values: readonly number[], allowed: number) {
  const stepMs = HOUR_MS / (values.length - 1);
  const points = values.map((value, index) => ({ atMs: index * stepMs, value }));
  return growthOf({ name: "heap", unit: "MB", points, allowed });
}

it("takes a steady rise for what it is, over the window after the warm-up", () => {
  const { start, end, perHour, grown, flat } = seen([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 7);
  expect({ start, end, flat }).toEqual({ start: 2, end: 10, flat: false });
  expect(perHour).toBeCloseTo(10);
  expect(grown).toBeCloseTo(8);
});

it("does not count what settles in the beginning, nor a single outlier", () => {
  expect(seen([0, 90, 100, 100, 100, 900, 100, 100, 100, 100, 100], 0).flat).toBe(true);
});

it("calls nothing flat of which nothing was seen", () => {
  expect(growthOf({ name: "fds", unit: "", points: [], allowed: 1_000 }).flat).toBe(false);
});

it("finds a leak of twice what is allowed in any noise as large as what is allowed", () => {
  const noise = fc.array(fc.double({ min: 0, max: 10, noNaN: true }), {
    minLength: 120,
    maxLength: 120,
  });
  fc.assert(
    fc.property(noise, (values) => {
      expect(
        seen(
          values.map((value, index) => value + (index * 30) / 119),
          10,
        ).flat,
      ).toBe(false);
    }),
  );
});
