import {
  cancelReason,
  mapTexts,
  type Outcome,
  recordError,
  type RecordedError,
} from "@millrace/core";

const UNMASKABLE = "(left out: maskText threw)";

/**
 * An outcome as it may be recorded: what a handler threw, or gave as its reason, may quote a
 * payload or a password.
 */
export function maskOutcome(outcome: Outcome, maskText: (text: string) => string): Outcome {
  const mask = guarded(maskText);
  switch (outcome.kind) {
    case "failed":
    case "timed-out":
    case "rejected":
      return { ...outcome, error: maskError(outcome.error, mask) };
    case "cancelled":
      return { ...outcome, reason: cancelReason(mask(outcome.reason)) };
    default:
      return outcome;
  }
}

/** An error as it may be recorded. Without a mask it is left as it is. */
export function maskRecorded(
  error: RecordedError,
  maskText: ((text: string) => string) | undefined,
): RecordedError {
  return maskText === undefined ? error : maskError(error, guarded(maskText));
}

/**
 * The user's own code. Where it throws the text is left out: a secret must not get through, and the
 * job must end.
 */
function guarded(maskText: (text: string) => unknown): (text: string) => string {
  return (text) => {
    try {
      const masked = maskText(text);
      return typeof masked === "string" ? masked : UNMASKABLE;
    } catch {
      return UNMASKABLE;
    }
  };
}

/**
 * The type is a class name or a code, by which errors are counted: it stays. Masks may make a text
 * longer, so it is bounded once more.
 */
function maskError(
  { type, message, stack, fields }: RecordedError,
  mask: (text: string) => string,
): RecordedError {
  const masked = new Error(mask(message));
  masked.name = type;
  const own = fields === undefined ? undefined : mapTexts(fields, mask);
  const kept = own === undefined ? {} : { fields: own };
  if (stack === undefined) return { ...recordError(masked.message, type), ...kept };
  masked.stack = mask(stack);
  return { ...recordError(masked), type, ...kept };
}
