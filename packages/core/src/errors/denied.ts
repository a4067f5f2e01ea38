import { MillraceError } from "./millrace-error.ts";

/**
 * What was asked for, or this where the connection's user may not ask for it: somebody may still
 * see the rest.
 */
export async function orWhereDenied<Answer, Otherwise>(
  otherwise: Otherwise,
  ask: () => Promise<Answer>,
): Promise<Answer | Otherwise> {
  try {
    return await ask();
  } catch (error) {
    if (MillraceError.is(error, "permission-denied")) return otherwise;
    throw error;
  }
}
