import type { Envelope } from "../envelope/envelope.ts";
import { tooFarAhead } from "../envelope/body-limits.ts";
import { MillraceError } from "../errors/millrace-error.ts";

/** The end of the year 9999, as in the envelope's own times. */
const LAST_TIME = 253_402_300_799_999;

export interface RescheduleRules {
  /** How far ahead a producer could have put it. */
  readonly maxDelayMs: number;
  /** The reason, where it is brought forward to be cancelled. */
  readonly cancelled?: string | undefined;
}

/**
 * The envelope of a delayed job at another time. Nothing else changes, and the generation least of
 * all: under its message id the job has not been in its queue yet, so that id is what makes a
 * second arrival a duplicate, wherever the job was moved meanwhile.
 *
 * @param notBefore epoch milliseconds; what has passed counts as `"now"`
 * @throws MillraceError `invalid-option`, `already-expired`
 */
export function rescheduled(
  envelope: Envelope,
  notBefore: number | "now",
  now: number,
  { maxDelayMs, cancelled }: RescheduleRules,
): Envelope {
  const at = notBefore === "now" ? now : notBefore;
  if (!Number.isSafeInteger(at) || at < 0 || at > LAST_TIME)
    throw new MillraceError(
      "invalid-option",
      `notBefore: the new time of a delayed job is "now" or whole epoch milliseconds before the year 10000; got ${String(notBefore)}.`,
    );
  const far = tooFarAhead(at, now, maxDelayMs);
  if (far !== undefined)
    throw new MillraceError("invalid-option", `The delayed job ${envelope.id}: ${far}.`);
  const { expiresAt } = envelope;
  if (expiresAt !== undefined && at > now && at >= expiresAt)
    throw new MillraceError(
      "already-expired",
      `The job ${envelope.id} expires at ${new Date(expiresAt).toISOString()}, before the time it would be moved to. Move it to an earlier one, or cancel it.`,
    );
  return {
    ...envelope,
    notBefore: Math.max(at, now),
    ...(cancelled === undefined ? {} : { cancelled }),
  };
}
