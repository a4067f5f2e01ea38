import { type ErrorCode, MillraceError } from "@millrace/core";

/** Why an index can't be kept up, for its status. */
export function problemOf(error: unknown): { readonly code: ErrorCode; readonly message: string } {
  if (MillraceError.is(error)) return { code: error.code, message: error.message };
  return { code: "index-failed", message: error instanceof Error ? error.message : String(error) };
}
