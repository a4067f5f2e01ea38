import { dayOf, hourOf } from "../words/time.tsx";

const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;
const DAY_S = 24 * HOUR_S;

/**
 * How far apart times may stand on an axis, seconds. None are closer than their words can tell
 * apart.
 */
export const TIME_STEPS_S: readonly number[] = [
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE_S),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR_S),
  ...[1, 2, 7, 14, 28, 91, 364].map((days) => days * DAY_S),
];

/** In the reader's words: the time of day, or the day where a step is at least one. Pure. */
export function timeWords(seconds: readonly number[]): string[] {
  const [first = 0, second = first] = seconds;
  const shown = second - first >= DAY_S ? dayOf : hourOf;
  return seconds.map((at) => shown(at * 1_000));
}
