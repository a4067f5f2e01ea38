import { isDeepStrictEqual } from "node:util";
import {
  type Broker,
  cancellationKeys,
  CANCELLATIONS_BUCKET,
  decodeBody,
  encodeMsgpack,
  type EncodeRules,
  type Envelope,
  MillraceError,
  type StoredDeadLetter,
  UniqueClaims,
} from "@millrace/core";
import { withdrawCancellations } from "../jobs/withdraw-cancellations.ts";
import { aloneIfSteps, type LetterHost } from "./alone-with-letter.ts";
import { BegunLives, onRecord, waitingLife } from "./lives-again.ts";

/**
 * What became of a letter. `begun`: its job has a new life. `removed`: it had that life already,
 * whose beginner had left the letter, or had ended well by another of its runs; so only the letter
 * has gone. `gone`: somebody else has seen to it.
 */
export type Revival = "begun" | "removed" | "gone";

/**
 * Gives the job of a letter a new life, and removes the letter.
 *
 * @param requireHeld asked right before the publish; throws where nothing may be changed any more
 */
export type Revive = (
  letter: StoredDeadLetter,
  revived: Envelope,
  requireHeld?: () => void,
) => Promise<Revival>;

/**
 * The publish is confirmed before the letter is removed: a crash in between leaves a job and its
 * letter, never neither. A queue forgets the ids of such jobs after its dedupe window, so each is
 * looked for before it is published; and the letter, which may be gone since it was listed.
 *
 * A cancellation that came in as a job died may not be swept yet, and must not meet its new life.
 * Those that there are now are read once.
 */
export async function manyReviver(host: LetterHost): Promise<Revive> {
  const { broker, clock } = host;
  const claims = new UniqueClaims(broker);
  const lives = new BegunLives(broker, clock);
  const documents = await broker.documents(CANCELLATIONS_BUCKET);
  const cancelled = new Set((await documents.list()).map(({ key }) => key));
  return async (letter, revived, requireHeld) => {
    const { sequence } = letter;
    if ((await lives.noOther(revived)) !== undefined)
      return (await broker.deadLetters.remove(sequence)) ? "removed" : "gone";
    const isCancelled = cancellationKeys(revived).some((key) => cancelled.has(key));
    return aloneIfSteps(host, revived, async (requireAlone) => {
      if (!(await isThere(broker, letter))) return "gone";
      requireHeld?.();
      if (isCancelled) await withdrawCancellations(broker, revived);
      await claimAnew(claims, revived);
      requireAlone();
      await broker.requeue(revived);
      await broker.deadLetters.remove(sequence);
      return "begun";
    });
  };
}

/**
 * The same with another payload. Where the life has begun already, with what the letter holds, the
 * payload would be nowhere: then the letter stays. So it does where its job has ended well.
 *
 * @param exact false where parts of the payload are as they were read
 * @throws MillraceError `already-retried`; `already-ended`; `job-not-found` where the letter is
 *   gone
 */
export async function reviveEdited(
  host: LetterHost,
  letter: StoredDeadLetter,
  edited: Envelope,
  { exact }: Pick<EncodeRules, "exact">,
): Promise<void> {
  const { broker } = host;
  // As a producer's, it is refused where a node could not read it.
  const rules = { maxValues: broker.maxValues, exact, wellFormed: true } as const;
  const payload = decodeBody(encodeMsgpack(edited.payload, rules), undefined, broker.maxValues);
  const hasAnother = async (): Promise<boolean | undefined> => {
    const waiting = await waitingLife(broker, edited);
    return waiting && !isDeepStrictEqual(waiting.payload, payload);
  };
  // An edit that was broken off is asked for again.
  const before = await hasAnother();
  const known = before === undefined ? await onRecord(broker, edited) : undefined;
  if (before === true || known === "begun") throw alreadyRetried(letter);
  if (known === "ended-well") throw endedWell(letter);
  if (before !== undefined) return void (await broker.deadLetters.remove(letter.sequence));
  await aloneIfSteps(host, edited, async (requireAlone) => {
    if (!(await isThere(broker, letter))) throw letterGone(letter);
    await withdrawCancellations(broker, edited);
    await claimAnew(new UniqueClaims(broker), edited);
    requireAlone();
    const published = await broker.requeue(edited);
    // Of two who act at once the queue has taken one. What is not there any more has run, and may
    // be this one: where its confirmation was lost, its copy was the duplicate.
    const another = await hasAnother();
    if (another === undefined && published?.duplicate === true) throw ranAlready(letter);
    if (another === true) throw alreadyRetried(letter);
    await broker.deadLetters.remove(letter.sequence);
  });
}

/** Whether the very letter still lies there: another may have retried or discarded it since. */
async function isThere(
  { deadLetters }: Broker,
  { queue, id, sequence }: StoredDeadLetter,
): Promise<boolean> {
  const [found] = await deadLetters.list({ queue, id, after: sequence - 1, limit: 1 });
  return found?.sequence === sequence;
}

export function letterGone({ id, queue }: StoredDeadLetter): MillraceError {
  return new MillraceError(
    "job-not-found",
    `The dead letter of ${id} in queue ${queue} is gone: somebody else has retried or discarded it meanwhile.`,
  );
}

function endedWell({ id, queue }: StoredDeadLetter): MillraceError {
  return new MillraceError(
    "already-ended",
    `The job ${id} of the queue ${queue} has ended well by another of its runs, so it is not run again. The letter was left behind: discard it.`,
  );
}

function ranAlready({ id, queue }: StoredDeadLetter): MillraceError {
  return new MillraceError(
    "already-retried",
    `The job ${id} of the queue ${queue} has a new life that has run by now: with this payload if only the confirmation was lost, else with the earlier one. Look at it before you enqueue it anew: millrace jobs get ${id}. The letter stays; a retry of it runs nothing a second time.`,
  );
}

function alreadyRetried({ id, queue }: StoredDeadLetter): MillraceError {
  return new MillraceError(
    "already-retried",
    `The dead letter of ${id} in queue ${queue} has been retried already, so another payload would not be what runs. The letter stays. Retry it as it is or discard it: nothing runs a second time by that.`,
  );
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
