import {
  type Broker,
  cancellationKey,
  CANCELLATIONS_BUCKET,
  type Envelope,
  MillraceError,
  type StoredDeadLetter,
  UniqueClaims,
} from "@millrace/core";
import { revivedEnvelope } from "./dead-retry.ts";

/** Gives the job of a letter a new life, and removes the letter. */
export type Revive = (letter: StoredDeadLetter, revived?: Envelope) => Promise<void>;

/**
 * The publish is confirmed before the letter is removed: a crash in between leaves a job and its
 * letter, never neither.
 */
export function reviver(broker: Broker, now: () => number): Revive {
  const claims = new UniqueClaims(broker);
  return async (letter, revived = revivedEnvelope(letter, now(), broker)) => {
    await claimAnew(claims, revived);
    await broker.requeue(revived);
    await broker.deadLetters.remove(letter.sequence);
  };
}

/**
 * The same for many letters. A cancellation that came in as a job died may not be swept yet, and
 * must not meet its new life. Those that there are now are read once.
 */
export async function manyReviver(broker: Broker, now: () => number): Promise<Revive> {
  const revive = reviver(broker, now);
  const documents = await broker.documents(CANCELLATIONS_BUCKET);
  const cancelled = new Set((await documents.list()).map(({ key }) => key));
  return async (letter, revived) => {
    const key = cancellationKey(letter);
    if (cancelled.has(key)) await documents.remove(key);
    await revive(letter, revived);
  };
}

/**
 * Its key was freed when it died, and may be another's by now. For how long it is held the node's
 * definition says.
 */
export async function claimAnew(claims: UniqueClaims, envelope: Envelope): Promise<void> {
  const { id, queue, uniqueKey: key } = envelope;
  if (key === undefined) return;
  const plan = { key, while: undefined, onConflict: "keep" } as const;
  const claimed = await claims.claim(plan, envelope);
  if (claimed.kind === "claimed") return;
  throw new MillraceError(
    "unique-conflict",
    `The unique key of ${id} is held by ${claimed.id} in queue ${queue}. Retry the letter when that job has ended, or discard it.`,
  );
}
