import { MillraceError, type Outcome, OutcomeSignal, recordError } from "@millrace/core";
import type { AbortReason } from "./abort-switch.ts";

/** How a handler ended: with a value, or with something thrown. */
export type Ending = { readonly returned: unknown } | { readonly threw: unknown };

/**
 * The outcome of an attempt whose handler has ended. Pure.
 *
 * A handler that comes back with a value has done its work, even if it was told to stop meanwhile; one that
 * throws after it was told to stop has stopped. A lost lease beats both: the job may be another node's.
 */
export function interpret(ending: Ending, aborted: AbortReason | undefined): Outcome {
  if (aborted?.code === "lease-lost") return { kind: "lease-lost" };
  const given = "returned" in ending ? ending.returned : ending.threw;
  if (OutcomeSignal.is(given)) return fromSignal(given);
  if ("returned" in ending) return { kind: "succeeded", output: ending.returned };
  if (aborted !== undefined) return outcomeOfAbort(aborted, ending.threw);
  return { kind: "failed", error: recordError(ending.threw), retry: "policy" };
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

/** A handler that passes its signal's reason on adds nothing to it; anything else it threw may say where it hung. */
function timeoutError(aborted: AbortReason, threw: unknown): MillraceError {
  if (threw === undefined || threw === aborted) return aborted;
  return new MillraceError(
    "timed-out",
    `${aborted.message} It then failed with: ${recordError(threw).message}`,
    { cause: threw },
  );
}

function fromSignal(signal: OutcomeSignal): Outcome {
  const { wish } = signal;
  switch (wish.kind) {
    case "retry-after":
      return { kind: "failed", error: recordError(wish.cause), retry: { afterMs: wish.delayMs } };
    case "snooze":
      return { kind: "snoozed", delayMs: wish.delayMs };
    case "fatal":
      return { kind: "failed", error: recordError(wish.cause, "fatal"), retry: "never" };
    case "cancel":
      return { kind: "cancelled", reason: wish.reason };
  }
}
