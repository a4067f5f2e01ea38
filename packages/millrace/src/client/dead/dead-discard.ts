import { type Broker, type Envelope, MillraceError, type StoredDeadLetter } from "@millrace/core";
import { lettersOfId } from "./dead-matching.ts";
import { revivedEnvelope } from "./dead-retry.ts";
import { livesAgain } from "./lives-again.ts";

/**
 * Removes a letter for good, and what is on record of its job's steps.
 *
 * @param steps what is on record of them, where that is known. Default: it is looked up
 * @returns false where the letter was gone already
 */
export async function discardLetter(
  broker: Broker,
  letter: StoredDeadLetter,
  now: number,
  steps?: readonly Uint8Array[],
): Promise<boolean> {
  const removed = await broker.deadLetters.remove(letter.sequence);
  // Whoever removed it may have died before it had seen to the steps.
  if ((steps ?? (await stepsOf(broker, letter, now))).length > 0)
    await forgetSteps(broker, letter, now);
  return removed;
}

/** Whether the letter lies there again: its job's steps are its own then. */
async function isBack(broker: Broker, { queue, id, at }: StoredDeadLetter): Promise<boolean> {
  return (await lettersOfId(broker, { queue, id })).some((other) => other.at === at);
}

/** What is on record of its job's steps, as it was written. */
export async function stepsOf(
  broker: Broker,
  letter: StoredDeadLetter,
  now: number,
): Promise<readonly Uint8Array[]> {
  const revived = readable(broker, letter, now);
  if (revived === undefined) return [];
  const { id, queue, createdAt } = revived;
  return (await broker.journal.read({ id, queue, createdAt })).map(({ data }) => data);
}

/**
 * A letter may be what is left of a retry that was broken off: then the steps are the new life's.
 */
export async function forgetSteps(
  broker: Broker,
  letter: StoredDeadLetter,
  now: number,
): Promise<void> {
  const revived = readable(broker, letter, now);
  if (revived === undefined) return;
  const { id, queue, createdAt } = revived;
  if (await livesAgain(broker, revived)) return;
  // Since it was removed, perhaps long ago, an undo may have put it back.
  if (await isBack(broker, letter)) return;
  await broker.journal.remove({ id, queue, createdAt });
}

/** @returns undefined where the letter can't be read as a job: then it has never run */
export function readable(
  broker: Broker,
  letter: StoredDeadLetter,
  now: number,
): Envelope | undefined {
  try {
    return revivedEnvelope(letter, now, broker);
  } catch (error) {
    if (MillraceError.is(error)) return undefined;
    throw error;
  }
}
