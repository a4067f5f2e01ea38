import {
  type MillraceError,
  type Outcome,
  OutcomeSignal,
  recordError,
  recordFailure,
  StepError,
} from "@millrace/core";
import type { AbortReason } from "./attempt/abort-switch.ts";
import { putOffTooLong, timeoutError } from "./attempt/attempt-errors.ts";

/** How a handler ended: with a value, or with something thrown. */
export type Ending = { readonly returned: unknown } | { readonly threw: unknown };

/**
 * The outcome of an attempt whose handler has ended. Pure.
 *
 * A handler that comes back with a value has done its work, even if it was told to stop meanwhile;
 * one that throws after it was told to stop has stopped. A lost lease beats both: the job may be
 * another node's.
 *
 * @param maxDelayMs for how long a handler may put its job off
 */
export function interpret(
  ending: Ending,
  aborted: AbortReason | undefined,
  maxDelayMs: number,
): Outcome {
  if (aborted?.code === "lease-lost") return { kind: "lease-lost" };
  const given = "returned" in ending ? ending.returned : ending.threw;
  if (OutcomeSignal.is(given)) return fromSignal(given, maxDelayMs);
  if ("returned" in ending) return { kind: "succeeded", output: ending.returned };
  if (aborted !== undefined) return outcomeOfAbort(aborted, ending.threw);
  // What the step threw counts, by its own name.
  const error = StepError.is(given) ? given.recorded : recordFailure(given);
  return { kind: "failed", error, retry: "policy" };
}

/**
 * The outcome of an attempt that was told to stop and did not succeed.
 *
 * @param threw what the handler threw after it was told; left out where it said nothing
 */
export function outcomeOfAbort(aborted: AbortReason, threw?: unknown): Outcome {
  switch (aborted.code) {
    case "timed-out":
      return { kind: "timed-out", error: recordError(timeoutError(aborted, threw)) };
    // The attempt is not spent: it was the node's trouble, not the job's.
    case "shutdown":
    case "lock-lost":
      return { kind: "interrupted" };
    case "cancelled":
      return { kind: "cancelled", reason: aborted.message };
    case "lease-lost":
      return { kind: "lease-lost" };
  }
}

/** A wish to be put off for too long is a failed attempt, as one for no delay at all is. */
function fromSignal({ wish }: OutcomeSignal, maxDelayMs: number): Outcome {
  const isTooLong = "delayMs" in wish && wish.delayMs > maxDelayMs;
  switch (wish.kind) {
    case "retry-after":
      return isTooLong
        ? failed(putOffTooLong("retryAfter", wish.delayMs, maxDelayMs, wish.cause))
        : { kind: "failed", error: recordFailure(wish.cause), retry: { afterMs: wish.delayMs } };
    case "snooze":
      return isTooLong
        ? failed(putOffTooLong("snooze", wish.delayMs, maxDelayMs))
        : { kind: "snoozed", delayMs: wish.delayMs };
    case "fatal":
      return { kind: "failed", error: recordFailure(wish.cause, "fatal"), retry: "never" };
    case "cancel":
      return { kind: "cancelled", reason: wish.reason };
  }
}

function failed(error: MillraceError): Outcome {
  return { kind: "failed", error: recordError(error), retry: "policy" };
}
