import { expect, test } from "vitest";
import { medianOf } from "./median.ts";

test("the median lies between two of what was measured, by the sign test's table", () => {
  expect(medianOf([1.1, 0.9, 1])).toEqual({ median: 1, from: 0.9, to: 1.1, confidence: 0.75 });
  const fifteen = Array.from({ length: 15 }, (_, n) => n + 1);
  const { confidence, ...found } = medianOf(fifteen.toReversed());
  // Conover's table: the 4th and the 12th of 15, 0.965.
  expect(found).toEqual({ median: 8, from: 4, to: 12 });
  expect(confidence).toBeCloseTo(0.9648, 4);
  expect(medianOf([1, 2, 3, 4])).toMatchObject({ median: 2.5, from: 1, to: 4 });
  expect(medianOf([7])).toMatchObject({ median: 7, from: 7, to: 7, confidence: 0 });
});

test("nothing has no median", () => {
  expect(() => medianOf([])).toThrow(new RangeError("Nothing was measured."));
});
