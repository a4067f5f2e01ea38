import type { Outcome, RecordedError } from "@millrace/core";

/** An outcome as it may be recorded: what a handler threw, or gave as its reason, may quote a payload or a password. */
export function maskOutcome(outcome: Outcome, maskText: (text: string) => string): Outcome {
  switch (outcome.kind) {
    case "failed":
    case "timed-out":
    case "rejected":
      return { ...outcome, error: maskError(outcome.error, maskText) };
    case "cancelled":
      return { ...outcome, reason: maskText(outcome.reason) };
    default:
      return outcome;
  }
}

/** The type is a class name or a code, by which errors are counted: it stays. */
function maskError(
  { type, message, stack }: RecordedError,
  maskText: (text: string) => string,
): RecordedError {
  return {
    type,
    message: maskText(message),
    ...(stack === undefined ? {} : { stack: maskText(stack) }),
  };
}
