import type { ErrorCode } from "./codes.ts";
import { MillraceError } from "./millrace-error.ts";

/** What no repetition of the same publish mends: an operator has to act first. */
const HOPELESS: readonly ErrorCode[] = [
  "queue-not-found",
  "payload-too-large",
  "unserializable-payload",
  "permission-denied",
  "invalid-header",
  "invalid-message",
];

export function isHopeless(error: unknown): error is MillraceError {
  return HOPELESS.some((code) => MillraceError.is(error, code));
}
