import { median } from "../report/verdict.ts";

/** The middle of what was measured, and between which two it lies. */
export interface Median {
  readonly median: number;
  readonly from: number;
  readonly to: number;
  /** How sure that is: 0.95 or a little more; less where fewer than six were measured. */
  readonly confidence: number;
}

const WANTED = 0.95;

/**
 * The median, with the narrowest pair of measurements that has the true one between them in at
 * least 95 of 100 such series, however the single ones scatter. Each lies above or below it as a
 * coin falls (the sign test: Conover, Practical Nonparametric Statistics, 3.2).
 *
 * @throws RangeError where nothing was measured
 * @example
 * medianOf([0.9, 1, 1.1]); // { median: 1, from: 0.9, to: 1.1, confidence: 0.75 }
 */
export function medianOf(measured: readonly number[]): Median {
  const sorted = measured.toSorted((a, b) => a - b);
  const count = sorted.length;
  const at = (index: number): number => {
    const value = sorted[index];
    if (value === undefined) throw new RangeError("Nothing was measured.");
    return value;
  };
  let skipped = 0;
  let outside = outsideOf(count, 0);
  while (2 * (skipped + 1) < count && outsideOf(count, skipped + 1) <= 1 - WANTED) {
    skipped += 1;
    outside = outsideOf(count, skipped);
  }
  return {
    median: median(sorted),
    from: at(skipped),
    to: at(count - 1 - skipped),
    confidence: 1 - outside,
  };
}

/** How likely at most so many of them lie on one side. */
function outsideOf(count: number, most: number): number {
  let ways = 1;
  let sum = 1;
  for (let k = 1; k <= most; k += 1) {
    ways = (ways * (count - k + 1)) / k;
    sum += ways;
  }
  return (2 * sum) / 2 ** count;
}
