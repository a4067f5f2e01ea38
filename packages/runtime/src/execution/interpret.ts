import {
  type AbortCause,
  MillraceError,
  type Outcome,
  OutcomeSignal,
  recordError,
} from "@millrace/core";

/** How a handler ended: with a value, or with something thrown. */
export type Ending = { readonly returned: unknown } | { readonly threw: unknown };

/**
 * The outcome of an attempt whose handler has ended. Pure.
 *
 * A handler that comes back with a value has done its work, even if it was told to stop meanwhile; one that
 * throws after it was told to stop has stopped. A lost lease beats both: the job may be another node's.
 */
export function interpret(ending: Ending, aborted: AbortCause | undefined): Outcome {
  if (aborted === "lease-lost") return { kind: "lease-lost" };
  const given = "returned" in ending ? ending.returned : ending.threw;
  if (OutcomeSignal.is(given)) return fromSignal(given);
  if ("returned" in ending) return { kind: "succeeded", output: ending.returned };
  if (aborted !== undefined) return outcomeOfAbort(aborted, ending.threw);
  return { kind: "failed", error: recordError(ending.threw), retry: "policy" };
}

/** The outcome of an attempt whose handler went on although it was told to stop. */
export function outcomeOfAbort(aborted: AbortCause, cause: unknown): Outcome {
  switch (aborted) {
    case "timed-out":
      return {
        kind: "timed-out",
        error: recordError(
          MillraceError.is(cause, "timed-out")
            ? cause
            : new MillraceError("timed-out", timeoutText(cause)),
        ),
      };
    case "shutdown":
      return { kind: "interrupted" };
    case "cancelled":
      return { kind: "cancelled", reason: cause instanceof Error ? cause.message : String(cause) };
    case "lease-lost":
      return { kind: "lease-lost" };
  }
}

function timeoutText(cause: unknown): string {
  return `The handler did not end within its timeout; it then failed with: ${recordError(cause).message}`;
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
