import {
  type Arrival,
  type Broker,
  calledBy,
  type Clock,
  effectsOf,
  type Envelope,
  firstOfNextLife,
  type HistoryRecord,
  invokedBy,
  type JobRef,
  MillraceError,
  readEntry,
  UniqueClaims,
  UniqueKey,
} from "@millrace/core";
import { readable } from "../dead/dead-discard.ts";
import { claimAnew } from "../dead/dead-revive.ts";
import { letterAfterLife, revivedEnvelope } from "../dead/dead-retry.ts";
import { jobKey, type OneJob } from "../jobs/job-key.ts";
import { isFinal } from "../jobs/results/end-on-record.ts";
import { withdrawCancellations } from "../jobs/withdraw-cancellations.ts";
import { livesAgain } from "../dead/lives-again.ts";
import { type Act, isAway, outcomeOf } from "./act.ts";
import { type Anew, keptEnvelope, keptLetter, type KeptThing, KeptThings } from "./kept-things.ts";
import type { PlanItem } from "./operation-plan.ts";
import { Patience, PATIENCE_MS } from "./patience.ts";
import { QueueReader } from "./queue-reader.ts";
import {
  cannot,
  hasBegun,
  isSomewhere,
  isWaiting,
  recordsOf,
  rest,
  sameLetter,
} from "./undo-looks.ts";

/** As another job it would have its effects once more, also those of `context.transaction`. */
const MAY_HAVE_BEGUN =
  "a node that had it has died, or was cut off, and may have begun it. Enqueue it anew if it is not done.";

export type UndoKind = "discard-undo" | "cancel-undo" | "retry-undo";

interface Undoing {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly things: KeptThings;
  /** The operation that is taken back. */
  readonly undoes: string;
  /**
   * For the message ids of letters: the undo's own, or a second one's letter would be dropped; and
   * the thing's own, because a job may have several letters.
   */
  readonly once: string;
  readonly inDoubt: boolean;
  readonly patience: Patience;
  /** The latest that was enqueued anew of each id: what comes next is none of its copies. */
  readonly latest: Map<string, Anew>;
}

interface UndoneThing {
  readonly job: JobRef;
  readonly kept: KeptThing;
  /** Where a retried job lies in its queue now. */
  readonly arrival: Arrival | undefined;
}

type Undo = (thing: UndoneThing, undoing: Undoing) => Promise<boolean>;

const UNDOS: Readonly<Record<UndoKind, Undo>> = {
  "discard-undo": putBack,
  "cancel-undo": enqueueAnew,
  "retry-undo": takeBack,
};

/** Takes back what an operation did, thing by thing, from what was kept of each. */
export async function undoActOf(
  broker: Broker,
  clock: Clock,
  { id, kind, undoes }: { readonly id: string; readonly kind: UndoKind; readonly undoes: string },
): Promise<Act> {
  const things = await KeptThings.of(broker, undoes);
  const reader = new QueueReader(broker);
  const undo = UNDOS[kind];
  const patience = new Patience(broker, clock);
  const latest = new Map<string, Anew>();
  return async ({ items, inDoubt, requireHeld }, next) => {
    await patience.beginStep();
    const read = async ({ id: job, queue, mark: place = -1 }: PlanItem) => ({
      ...{ job: { id: job, queue }, place, kept: await things.read(place) },
    });
    const all = await Promise.all(items.map(read));
    const waiting = kind === "retry-undo" ? await thoseThatMayWait(broker, clock, all) : [];
    const arrivals = await reader.find(waiting.filter((job) => job !== undefined));
    for (const [index, { job, place, kept }] of all.entries()) {
      requireHeld();
      const sought = waiting[index];
      const arrival = sought && arrivals.get(jobKey(sought));
      const undoing = {
        broker,
        clock,
        things,
        undoes,
        once: `undo/${id}/${place}`,
        inDoubt,
        patience,
        latest,
      };
      const undone = async (): Promise<boolean> => {
        if (kept === undefined) throw cannot(job, "nothing of it was kept, or not any more.");
        return undo({ job, kept, arrival }, undoing);
      };
      next(await outcomeOf(undone));
    }
  };
}

/**
 * Of retried jobs those of whose next life nothing is on record: the queue is read for these alone.
 * Others of their ids may wait there.
 */
function thoseThatMayWait(
  broker: Broker,
  clock: Clock,
  all: readonly { readonly job: JobRef; readonly kept: KeptThing | undefined }[],
): Promise<readonly (OneJob | undefined)[]> {
  return Promise.all(
    all.map(async ({ job, kept }) => {
      const revived = kept && readable(broker, keptLetter(kept), clock.now());
      if (revived === undefined || (await hasBegun(broker, job, revived))) return undefined;
      return { ...job, createdAt: revived.createdAt };
    }),
  );
}

/** A discarded letter is there again, with the steps of its job. */
async function putBack(
  { job, kept }: UndoneThing,
  { broker, clock, once, inDoubt }: Undoing,
): Promise<boolean> {
  if ((await sameLetter(broker, kept)) !== undefined) return inDoubt;
  const revived = readable(broker, keptLetter(kept), clock.now());
  // It was put back before, and retried.
  if (revived !== undefined && (await livesAgain(broker, revived))) return false;
  if (revived !== undefined) {
    const { createdAt } = revived;
    const steps = kept.steps.map((data) => ({ data, step: readEntry(data) }));
    // Its retry would do again what those have done.
    if (steps.some(({ step }) => step === undefined))
      throw cannot(job, "one of its steps can't be read. A newer version of Millrace may read it.");
    for (const { data, step } of steps)
      if (step !== undefined) await broker.journal.write({ ...job, createdAt }, step, data);
  }
  await broker.deadLetters.add(kept.letter, once);
  // A duplicate, put back by whoever died with it, may have been retried or discarded since.
  return (await sameLetter(broker, kept)) !== undefined;
}

/**
 * A job that was cancelled while it waited is enqueued anew: same id, payload and options. By its
 * time of creation it is another job, which the cancellation does not mean. The first one has its
 * end on record before: it is never taken out of its queue, where it is the only copy of itself.
 */
async function enqueueAnew(
  { job, kept }: UndoneThing,
  { broker, clock, things, undoes, inDoubt, patience, latest }: Undoing,
): Promise<boolean> {
  const before = keptEnvelope(broker, kept);
  if (before.attempts > 0 || before.interruptions > 0 || before.snoozes > 0)
    throw cannot(job, "it had run before.");
  if (before.crashes > 0) throw cannot(job, MAY_HAVE_BEGUN);
  if (before.batch !== undefined)
    throw cannot(job, "it is of a batch, which has counted it as cancelled.");
  const caller = callerOf(before);
  if (caller !== undefined) throw cannot(job, `${caller}, which was told that it is cancelled.`);
  const said = await things.anewOf(before);
  // Another operation that has cancelled it too was taken back.
  if (said !== undefined && said.undoes !== undoes) return false;
  if (said !== undefined && (!inDoubt || (await isThere(broker, job, said)))) {
    latest.set(jobKey(job), said);
    return inDoubt;
  }
  const now = await broker.serverNow();
  const { reservedAt: _, runnableAt: _at, sharedSince: _shared, ...producers } = before;
  const { notBefore = 0, expiresAt = now + 1, ...rest } = producers;
  if (expiresAt <= now) throw cannot(job, "its time to start has passed.");
  const end = await endOf(broker, { job, before, clock, patience });
  if (end.state !== "cancelled") throw cannot(job, `it had ended: ${end.state}.`);
  const ran = await recordsOf(broker, job, before);
  if (end.attempts > 0 || ran.some(({ startedAt }) => startedAt !== undefined))
    throw cannot(job, "it had begun.");
  if (end.mayHaveBegun === true) throw cannot(job, MAY_HAVE_BEGUN);
  const all = await broker.history.read(job);
  const other = latest.get(jobKey(job));
  const last = Math.max(
    ...[before.generation, other?.generation ?? 0, ...all.map(({ generation }) => generation)],
  );
  const { createdAt, generation, firstStoredAt } = said ?? {
    createdAt: Math.max(now, before.createdAt + 1, (other?.createdAt ?? 0) + 1),
    ...{ generation: firstOfNextLife(last), firstStoredAt: now },
  };
  const anew: Envelope = {
    ...rest,
    ...(notBefore > now ? { notBefore } : {}),
    ...(before.expiresAt === undefined ? {} : { expiresAt }),
    // Its end is no second end of the first one, however soon it comes.
    ...{ createdAt, generation, firstStoredAt, unkeyed: createdAt },
    // A server that was killed together with a node has forgotten that the node had it.
    effectsOf: effectsOf(before),
    headers: { ...before.headers, "undone-operation": undoes },
  };
  await withdrawCancellations(broker, anew);
  await claimAnew(new UniqueClaims(broker), anew);
  if (said === undefined) await things.sayAnew(before, { createdAt, generation, firstStoredAt });
  try {
    await broker.requeue(anew);
  } catch (error) {
    // Refused for good: another undo may do better.
    if (MillraceError.is(error) && !isAway(error)) await things.unsayAnew(before);
    throw error;
  }
  latest.set(jobKey(job), { createdAt, generation, firstStoredAt });
  return true;
}

/** Its step or its state has come to its end with this one's: nobody would hear of another. */
function callerOf(job: Envelope): string | undefined {
  const parent = calledBy(job);
  if (parent !== undefined)
    return `the job ${parent.id} of the queue ${parent.queue} has called it`;
  const by = invokedBy(job);
  return by && `the machine ${by.machine} ${by.id} has invoked it`;
}

async function isThere(broker: Broker, job: JobRef, said: Anew): Promise<boolean> {
  if (await isWaiting(broker, { ...job, createdAt: said.createdAt })) return true;
  return (await broker.history.read(job)).some(({ createdAt }) => createdAt === said.createdAt);
}

/** How a cancelled job has ended. A node settles it, in its queue or when it has it in hand. */
async function endOf(
  broker: Broker,
  {
    job,
    before,
    clock,
    patience,
  }: Pick<Undoing, "clock" | "patience"> & {
    readonly job: JobRef;
    readonly before: Envelope;
  },
): Promise<HistoryRecord> {
  const deadline = patience.deadlineOf(job.queue);
  for (;;) {
    const ofThisLife = ({ life = 0 }: HistoryRecord): boolean => life >= (before.life ?? 0);
    const end = (await recordsOf(broker, job, before)).filter(ofThisLife).findLast(isFinal);
    if (end !== undefined) {
      patience.settled(job.queue, end.at);
      return end;
    }
    if (clock.monotonic() >= deadline) break;
    await rest(clock);
  }
  await patience.ranOut(job.queue);
  throw cannot(
    job,
    "it is cancelled and no node has settled it yet. Start a node of its queue or resume it, then undo the operation again.",
  );
}

/**
 * A retried job that still waits is a dead letter again, with its reason. The letter is there
 * before the job is taken out, and goes only where the job is certainly elsewhere: it lies in its
 * queue, or something of its new life is on record.
 */
async function takeBack(
  { job, kept, arrival }: UndoneThing,
  { broker, clock, once, inDoubt }: Undoing,
): Promise<boolean> {
  const revived = revivedEnvelope(keptLetter(kept), clock.now(), broker);
  const isHad = (): Promise<boolean> => hasBegun(broker, job, revived);
  const { envelope: now } = arrival ?? {};
  const waits = now?.createdAt === revived.createdAt && now.life === revived.life;
  const known = await sameLetter(broker, kept);
  if (!waits && known !== undefined && !inDoubt) return false;
  if (await isHad()) {
    if (known !== undefined && inDoubt) await broker.deadLetters.remove(known);
    throw cannot(job, "a node has had it.");
  }
  if (!waits && (!inDoubt || (await isSomewhere(broker, revived))))
    throw cannot(job, "it does not wait in its queue any more.");
  if (known === undefined)
    await broker.deadLetters.add(letterAfterLife(keptLetter(kept), revived, broker), once);
  const letter = known ?? (await sameLetter(broker, kept));
  if (letter === undefined) throw cannot(job, "its letter could not be stored.");
  // The process that died with it had taken it out.
  if (!waits || arrival === undefined) return true;
  const taken = await broker.arrivals.takeOut(job.queue, arrival.position);
  if (taken === "taken") {
    await freeKey(broker, arrival.envelope);
    return true;
  }
  if (taken !== "handed-out") {
    const deadline = clock.monotonic() + PATIENCE_MS;
    while (clock.monotonic() < deadline && !(await isHad())) await rest(clock);
    if (!(await isHad()))
      throw cannot(
        job,
        "a node may have got it at the same moment. It is a dead letter too: discard that if the job ends well.",
      );
  }
  await broker.deadLetters.remove(letter);
  throw cannot(job, "a node has it.");
}

/** Frees the key of a job that was taken out: nobody else is going to. */
async function freeKey(broker: Broker, { id, queue, uniqueKey }: Envelope): Promise<void> {
  if (uniqueKey === undefined) return;
  const claims = new UniqueClaims(broker);
  const key = new UniqueKey(queue, uniqueKey);
  const found = await claims.read(key);
  if (found?.claim.id === id && found.claim.state !== "freed")
    await claims.write(key, { ...found.claim, state: "freed" }, found.revision);
}
