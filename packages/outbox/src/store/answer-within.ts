import { type Clock, MillraceError } from "@millrace/core";

/**
 * Waits no longer for a database than so. A server that is frozen, or cut off without a word,
 * answers nothing, and no driver gives up in each of its states.
 *
 * @throws MillraceError `outbox-failed` where it does not answer; what `answer` throws
 */
export async function answerWithin<Answer>(
  clock: Clock,
  ms: number,
  answer: Promise<Answer>,
): Promise<Answer> {
  const late = Promise.withResolvers<never>();
  const timer = clock.setTimer(ms, () =>
    late.reject(
      new MillraceError(
        "outbox-failed",
        `The outbox's database has not answered for ${ms / 1_000} s. Its rows wait in the database meanwhile.`,
      ),
    ),
  );
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    timer.cancel();
  }
}
