import { MillraceError } from "./millrace-error.ts";

/** Whether what was to be stored is to blame: it is too large, or its form has no place for it. */
export function isUnfit(error: unknown): boolean {
  return (
    MillraceError.is(error, "payload-too-large") ||
    MillraceError.is(error, "unserializable-payload")
  );
}
