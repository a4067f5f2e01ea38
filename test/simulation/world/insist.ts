import { type Clock, isErrorCode, MillraceError } from "@millrace/core";

const AGAIN_MS = 1_000;
const TRIES = 600;

/** Nobody tries again. */
export const GIVEN_UP = "given-up";

/**
 * Tries until it is known. A refusal that time can't mend ends it.
 *
 * @param mayTryAgain false from when on a repetition would be another job
 */
export async function insist<T>(
  clock: Clock,
  act: () => Promise<T>,
  mayTryAgain: () => boolean = () => true,
): Promise<
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly code: string }
> {
  let code = "unknown";
  for (let tries = 0; tries < TRIES; tries += 1) {
    try {
      return { ok: true, value: await act() };
    } catch (error) {
      code = MillraceError.is(error) ? error.code : String(error);
      if (!isErrorCode(code)) break;
      await sleep(clock, AGAIN_MS);
      if (!mayTryAgain()) return { ok: false, code: GIVEN_UP };
    }
  }
  return { ok: false, code };
}

export function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.setTimer(ms, resolve));
}
