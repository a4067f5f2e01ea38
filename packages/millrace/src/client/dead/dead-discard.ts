import { type Broker, type Envelope, MillraceError, type StoredDeadLetter } from "@millrace/core";
import { revivedEnvelope } from "./dead-retry.ts";
import { livesAgain } from "./lives-again.ts";

/**
 * Removes a letter for good, and what is on record of its job's steps.
 *
 * @returns false where the letter was gone already
 */
export async function discardLetter(
  broker: Broker,
  letter: StoredDeadLetter,
  now: number,
): Promise<boolean> {
  const removed = await broker.deadLetters.remove(letter.sequence);
  await forgetSteps(broker, letter, now);
  return removed;
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
async function forgetSteps(broker: Broker, letter: StoredDeadLetter, now: number): Promise<void> {
  const revived = readable(broker, letter, now);
  if (revived === undefined) return;
  const { id, queue, createdAt } = revived;
  const run = { id, queue, createdAt };
  if ((await broker.journal.read(run)).length === 0 || (await livesAgain(broker, revived))) return;
  await broker.journal.remove(run);
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
