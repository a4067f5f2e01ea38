import type { DeadGroupView } from "../src/api/dead-views.ts";

const HOUR_MS = 3_600_000;
export const BARS = 24;
const MOST_HOURS = 168;

/** The time that bars stand for: the same for all groups, so that they can be compared. */
export interface Hours {
  readonly from: number;
  readonly stepMs: number;
}

/** A day, or as many days as the oldest letter needs, up to a week. */
export function hoursOf(groups: readonly DeadGroupView[], now: number): Hours {
  const end = Math.ceil((now + 1) / HOUR_MS) * HOUR_MS;
  const oldest = Math.min(end, ...groups.flatMap(({ perHour }) => perHour[0]?.at ?? []));
  const needed = Math.min(MOST_HOURS, Math.max(1, (end - oldest) / HOUR_MS));
  const stepMs = Math.ceil(needed / BARS) * HOUR_MS;
  return { from: end - BARS * stepMs, stepMs };
}

/** How many died in the time of each bar. */
export function barsOf({ perHour }: DeadGroupView, { from, stepMs }: Hours): readonly number[] {
  const bars = Array.from({ length: BARS }, () => 0);
  for (const { at, count } of perHour) {
    const place = Math.floor((at - from) / stepMs);
    const before = bars[place];
    if (before !== undefined) bars[place] = before + count;
  }
  return bars;
}
