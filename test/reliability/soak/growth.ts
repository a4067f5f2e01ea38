/** Something that must stay flat, as it was seen over time. */
export interface Series {
  readonly name: string;
  readonly unit: "MB" | "";
  readonly points: readonly Point[];
  /**
   * By how much it may grow over the whole window without being called a leak: what settles, caches
   * fill, noise.
   */
  readonly allowed: number;
}

export interface Point {
  readonly atMs: number;
  readonly value: number;
}

export interface Growth {
  readonly name: string;
  readonly unit: Series["unit"];
  /** Medians of the first and the last fifth. */
  readonly start: number;
  readonly end: number;
  readonly perHour: number;
  /** What the slope comes to over the window. */
  readonly grown: number;
  readonly allowed: number;
  readonly flat: boolean;
}

/** Caches fill and code is compiled in the beginning. */
const WARM_UP_SHARE = 0.2;
const MS_PER_HOUR = 3_600_000;

/**
 * How a series grew once it was warm. The slope is Theil's and Sen's: the median of all pairs', so
 * that single outliers count for nothing. Pure.
 */
export function growthOf({ name, unit, points, allowed }: Series): Growth {
  const warm = points.slice(Math.floor(points.length * WARM_UP_SHARE));
  const slope = medianSlope(warm);
  const spanMs = (warm.at(-1)?.atMs ?? 0) - (warm[0]?.atMs ?? 0);
  const grown = slope * spanMs;
  const fifth = Math.max(1, Math.floor(warm.length / 5));
  return {
    name,
    unit,
    start: median(warm.slice(0, fifth).map(({ value }) => value)),
    end: median(warm.slice(-fifth).map(({ value }) => value)),
    perHour: slope * MS_PER_HOUR,
    grown,
    allowed,
    // Not a number is not flat: nothing was seen.
    flat: grown <= allowed,
  };
}

function medianSlope(points: readonly Point[]): number {
  const slopes: number[] = [];
  for (const [index, from] of points.entries())
    for (const to of points.slice(index + 1))
      slopes.push((to.value - from.value) / (to.atMs - from.atMs));
  return median(slopes);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
