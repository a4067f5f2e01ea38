import type { EndedHow, EndedRate, RatesQuery } from "./index-calls.ts";

export const MINUTE_MS = 60_000;
/** Lengths of time are counted in classes, each so much longer than the one before. */
const STEP = 1.1;

/** Attempts that ended in one way within a step of time, of one class of length. */
export interface EndedRow {
  readonly step: number;
  readonly how: EndedHow;
  readonly took: number;
  readonly count: number;
}

/** Attempts that waited for their start so long. */
export interface WaitedRow {
  readonly step: number;
  readonly waited: number;
  readonly count: number;
}

/** Of attempts: how long, and how many. */
type Lengths = [length: number, count: number][];

type Counting = { -readonly [Key in keyof Omit<EndedRate, "waited">]: EndedRate[Key] } & {
  readonly took: Lengths;
};

/**
 * What counted rows come to, a step after the other: only those in which an attempt ended.
 *
 * @param minutes of a step
 */
export function ratesOf(
  ended: readonly EndedRow[],
  waited: readonly WaitedRow[],
  minutes: number,
): readonly EndedRate[] {
  const steps = new Map<number, Counting>();
  for (const { step: number, how, took, count } of ended) {
    const at = number * minutes * MINUTE_MS;
    const step = steps.get(at) ?? {
      ...{ at, succeeded: 0, failed: 0, dead: 0, p50Ms: 0, p95Ms: 0, took: [] },
    };
    step[how] += count;
    step.took.push([lengthOf(took), count]);
    steps.set(at, step);
  }
  const waits = Map.groupBy(waited, ({ step }) => step * minutes * MINUTE_MS);
  return [...steps.values()]
    .toSorted((a, b) => a.at - b.at)
    .map(({ took, ...rate }) => {
      const waitedThen = waits.get(rate.at);
      return {
        ...rate,
        ...percentiles(took),
        ...(waitedThen === undefined
          ? {}
          : {
              waited: percentiles(waitedThen.map((row) => [lengthOf(row.waited), row.count])),
            }),
      };
    });
}

export function minutesOf({ stepMs }: RatesQuery): number {
  return Math.max(1, Math.round(stepMs / MINUTE_MS));
}

function percentiles(lengths: Lengths): { readonly p50Ms: number; readonly p95Ms: number } {
  return { p50Ms: percentile(lengths, 0.5), p95Ms: percentile(lengths, 0.95) };
}

export function classOf(ms: number): number {
  return ms <= 0 ? 0 : Math.round(Math.log(ms + 1) / Math.log(STEP));
}

function lengthOf(took: number): number {
  return STEP ** took - 1;
}

/** @param took in the order of their lengths, within what each way to end has */
function percentile(took: readonly (readonly [number, number])[], part: number): number {
  const sorted = took.toSorted(([a], [b]) => a - b);
  const wanted = sorted.reduce((sum, [, count]) => sum + count, 0) * part;
  let seen = 0;
  for (const [length, count] of sorted) {
    seen += count;
    if (seen >= wanted) return length;
  }
  return 0;
}
