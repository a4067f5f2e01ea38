import {
  type Broker,
  type Envelope,
  isSameEnqueue,
  MillraceError,
  NO_MEMORY,
  type StoredDeadLetter,
} from "@millrace/core";
import { alone, type LetterHost } from "./alone-with-letter.ts";
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
  host: LetterHost,
  letter: StoredDeadLetter,
  steps?: readonly Uint8Array[],
): Promise<boolean> {
  const { broker, clock } = host;
  const remove = (): Promise<boolean> => broker.deadLetters.remove(letter.sequence);
  if ((steps ?? (await stepsOf(broker, letter, clock.now()))).length === 0) return remove();
  // Whoever removed it may have died before it had seen to the steps.
  return forgetSteps(host, letter, remove);
}

/** Whether the letter lies there again: its job's steps are its own then. */
async function isBack(broker: Broker, letter: StoredDeadLetter): Promise<boolean> {
  const { queue, id, at } = letter;
  return (await lettersOfId(broker, { queue, id })).some(
    (other) => other.at === at && isSameEnqueue(other, letter, NO_MEMORY) !== false,
  );
}

/** What is on record of its job's steps, as it was written, in the order of writing. */
export async function stepsOf(
  broker: Broker,
  letter: StoredDeadLetter,
  now: number,
): Promise<readonly Uint8Array[]> {
  const revived = readable(broker, letter, now);
  if (revived === undefined) return [];
  const { id, queue, createdAt } = revived;
  const stored = await broker.journal.read({ id, queue, createdAt });
  return stored.toSorted((a, b) => a.revision - b.revision).map(({ data }) => data);
}

/**
 * A letter may be what is left of a retry that was broken off: then the steps are the new life's.
 *
 * @param first what is done before, where nobody else is at the letter either
 */
export async function forgetSteps<T>(
  host: LetterHost,
  letter: StoredDeadLetter,
  first: () => Promise<T>,
): Promise<T> {
  const { broker, clock } = host;
  const revived = readable(broker, letter, clock.now());
  if (revived === undefined) return first();
  const { id, queue, createdAt } = revived;
  return alone(host, revived, async () => {
    const done = await first();
    // Since it was removed, perhaps long ago, an undo may have put it back.
    const isItsOwn = (await livesAgain(broker, revived)) || (await isBack(broker, letter));
    if (!isItsOwn) await broker.journal.remove({ id, queue, createdAt });
    return done;
  });
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
