import { formatMs, MillraceError, recordError } from "@millrace/core";
import type { AbortReason } from "./abort-switch.ts";

/**
 * A handler that passes its signal's reason on adds nothing to it; anything else it threw may say
 * where it hung.
 */
export function timeoutError(aborted: AbortReason, threw: unknown): MillraceError {
  if (threw === undefined || threw === aborted) return aborted;
  return new MillraceError(
    "timed-out",
    `${aborted.message} It then failed with: ${recordError(threw).message}`,
    { cause: threw },
  );
}

/** @param cause for which the handler asked to be put off */
export function putOffTooLong(
  call: "retryAfter" | "snooze",
  delayMs: number,
  maxDelayMs: number,
  cause?: unknown,
): MillraceError {
  const because = cause === undefined ? "" : ` It was asked for by: ${recordError(cause).message}`;
  return new MillraceError(
    "invalid-duration",
    `${call}: ${formatMs(delayMs)} is longer than a job may be put off, ${formatMs(maxDelayMs)} (maxDelay).${because}`,
    { cause },
  );
}
