import { MillraceError } from "./millrace-error.ts";

/**
 * Whether a write that was refused may have been carried out before, by a first copy whose answer
 * was lost: somebody else has written since, so nobody can look it up any more. The refusal has the
 * lost answer among its causes.
 */
export function wasPerhapsWritten(refusal: unknown): boolean {
  for (let error = refusal; MillraceError.is(error); error = error.cause)
    if (error.code === "publish-timeout") return true;
  return false;
}
