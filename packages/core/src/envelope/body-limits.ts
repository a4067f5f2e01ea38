import { formatMs } from "../time/duration.ts";

/**
 * Values that a body may hold: each map, list, string, number and so on, and each key of a map.
 * What a body becomes in memory its bytes don't show: an empty map of one byte takes seventy, and a
 * map with a key of its own some two hundred. Both sides count alike, so that what is taken can be
 * read.
 */
export const DEFAULT_MAX_VALUES = 100_000;
export const LEAST_MAX_VALUES = 1_000;

/**
 * What a node adds to a body when it publishes a job again: counters, errors, what a producer left
 * to the headers.
 */
export const RUNTIME_VALUES = 500;

/**
 * The most memory that a value takes, bytes; of a body's worst it is 22 MB in 100,000 values, most
 * of them maps whose keys no other has. Strings and bytes take their own length besides.
 */
export const BYTES_A_VALUE = 256;

/**
 * How far ahead a producer may put a job's start: what is later is a mistake in a unit, or a way to
 * park jobs for ever.
 */
export const DEFAULT_MAX_DELAY_MS = 366 * 86_400_000;

/** @returns why a job may not start then; undefined where it may */
export function tooFarAhead(
  notBefore: number | undefined,
  now: number,
  maxDelayMs: number,
): string | undefined {
  return notBefore === undefined || notBefore - now <= maxDelayMs
    ? undefined
    : `notBefore must be at most ${formatMs(maxDelayMs)} ahead (maxDelay)`;
}
