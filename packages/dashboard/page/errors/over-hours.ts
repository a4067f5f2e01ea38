import type { CauseView } from "../../src/api/views/error-views.ts";

const HOUR_MS = 3_600_000;
export const BARS = 24;
const MOST_HOURS = 168;

/** The time that bars stand for: the same for all causes, so that they can be compared. */
export interface Hours {
  readonly from: number;
  readonly stepMs: number;
}

type Counted = Pick<CauseView, "failed" | "perHour">;

/** A day, or as many days as the oldest one needs, up to a week. */
export function hoursOf(causes: readonly Counted[], now: number): Hours {
  const needed = hoursBack(causes, now);
  const stepMs = Math.ceil(needed / BARS) * HOUR_MS;
  return { from: endOf(now) - BARS * stepMs, stepMs };
}

/** How many attempts failed in the time of each bar; where nobody counts them, how many died. */
export function barsOf(cause: Counted, { from, stepMs }: Hours): readonly number[] {
  const bars = Array.from({ length: BARS }, () => 0);
  for (const { at, count } of failuresOf(cause)) {
    const place = Math.floor((at - from) / stepMs);
    const before = bars[place];
    if (before !== undefined) bars[place] = before + count;
  }
  return bars;
}

/** Each hour of the last day, or of the last week if there is something older. */
export interface EachHour {
  readonly at: readonly number[];
  readonly failures: readonly number[];
  /** Of them, and of those that are older than what is counted. */
  readonly died: readonly number[];
}

export function eachHour(cause: Counted, now: number): EachHour {
  const hours = hoursBack([cause], now) > BARS ? MOST_HOURS : BARS;
  const at = Array.from({ length: hours }, (_, n) => endOf(now) - (hours - n) * HOUR_MS);
  const column = (counts: readonly (readonly [number, number])[]): readonly number[] => {
    const known = new Map(counts);
    return at.map((hour) => known.get(hour) ?? 0);
  };
  const { failed, perHour } = cause;
  return {
    at,
    failures: column(failuresOf(cause).map((one) => [one.at, one.count])),
    died: column(
      failed === undefined
        ? perHour.map((one) => [one.at, one.count])
        : failed.perHour.map((one) => [one.at, one.died]),
    ),
  };
}

function failuresOf({ failed, perHour }: Counted): CauseView["perHour"] {
  return failed?.perHour.map(({ at, failures }) => ({ at, count: failures })) ?? perHour;
}

function hoursBack(causes: readonly Counted[], now: number): number {
  const end = endOf(now);
  const oldest = Math.min(end, ...causes.flatMap((cause) => failuresOf(cause)[0]?.at ?? []));
  return Math.min(MOST_HOURS, Math.max(1, (end - oldest) / HOUR_MS));
}

function endOf(now: number): number {
  return Math.ceil((now + 1) / HOUR_MS) * HOUR_MS;
}
