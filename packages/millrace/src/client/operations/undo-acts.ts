import {
  type Arrival,
  type Broker,
  cancellationKey,
  CANCELLATIONS_BUCKET,
  type Clock,
  type Envelope,
  firstOfNextLife,
  type HistoryRecord,
  type JobRef,
  MillraceError,
  readEntry,
  type StoredDeadLetter,
  UniqueClaims,
} from "@millrace/core";
import { claimAnew } from "../dead/dead-revive.ts";
import { letterAfterLife, revivedEnvelope } from "../dead/dead-retry.ts";
import { isFinal } from "../jobs/end-on-record.ts";
import { type Act, outcomeOf } from "./act.ts";
import { keptEnvelope, type KeptThing, KeptThings } from "./kept-things.ts";
import { jobKey, QueueReader } from "./queue-reader.ts";

/** Of a step's jobs: until then a node has to have settled what it has in hand. */
const PATIENCE_MS = 5_000;
const REST_MS = 100;
const WHO_RUNS_MS = 400;

export type UndoKind = "discard-undo" | "cancel-undo" | "retry-undo";

interface Undoing {
  readonly broker: Broker;
  readonly clock: Clock;
  /** The operation that is taken back. */
  readonly undoes: string;
  readonly inDoubt: boolean;
  readonly deadline: number;
}

interface UndoneThing {
  readonly job: JobRef;
  readonly kept: KeptThing;
  /** Where it lies in its queue now. */
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
  { kind, undoes }: { readonly kind: UndoKind; readonly undoes: string },
): Promise<Act> {
  const things = await KeptThings.of(broker, undoes);
  const reader = new QueueReader(broker);
  const undo = UNDOS[kind];
  return async ({ items, inDoubt }, next) => {
    const arrivals = kind === "discard-undo" ? new Map() : await reader.find(items);
    const deadline = clock.monotonic() + PATIENCE_MS;
    for (const { id, queue, mark = -1 } of items) {
      const job = { id, queue };
      const undone = async (): Promise<boolean> => {
        const kept = await things.read(mark);
        if (kept === undefined) throw cannot(job, "nothing of it was kept, or not any more.");
        const arrival = arrivals.get(jobKey(job));
        return undo({ job, kept, arrival }, { broker, clock, undoes, inDoubt, deadline });
      };
      next(await outcomeOf(undone));
    }
  };
}

/** A discarded letter is there again, with the steps of its job. */
async function putBack(
  { job, kept }: UndoneThing,
  { broker, clock, undoes, inDoubt }: Undoing,
): Promise<boolean> {
  if ((await sameLetter(broker, kept)) !== undefined) return inDoubt;
  if (kept.steps.length > 0) {
    const { createdAt } = revivedEnvelope(stored(kept), clock.now(), broker);
    for (const data of kept.steps) {
      const step = readEntry(data);
      if (step !== undefined) await broker.journal.write({ ...job, createdAt }, step, data);
    }
  }
  await broker.deadLetters.add(kept.letter, `undo/${undoes}`);
  return true;
}

/**
 * A job that was cancelled while it waited is enqueued anew: same id, payload and options. By its
 * time of creation it is another job, or whoever looks would take the first one's end for its own.
 */
async function enqueueAnew(
  { job, kept, arrival }: UndoneThing,
  undoing: Undoing,
): Promise<boolean> {
  const { broker, clock, undoes, inDoubt } = undoing;
  const before = keptEnvelope(broker, kept);
  if (before.attempts > 0 || before.interruptions > 0) throw cannot(job, "it had run before.");
  if (before.batch !== undefined)
    throw cannot(job, "it is of a batch, which has counted it as cancelled.");
  const all = await broker.history.read(job);
  const isLater = ({ createdAt = 0 }: Pick<HistoryRecord, "createdAt">): boolean =>
    createdAt > before.createdAt;
  const isThere = all.some(isLater) || (arrival !== undefined && isLater(arrival.envelope));
  if (isThere || (await isDelayedAnew(broker, before, isLater))) return inDoubt;
  const records = all.filter(({ createdAt = before.createdAt }) => createdAt === before.createdAt);
  const last = records.findLast(isFinal) ?? (await endOf({ job, before, arrival }, undoing));
  if (last !== undefined && last.state !== "cancelled")
    throw cannot(job, `it had ended: ${last.state}.`);
  if (last?.startedAt !== undefined) throw cannot(job, "it had begun.");
  await withdrawCancellation(broker, job);
  const now = clock.now();
  const latest = Math.max(before.generation, ...all.map(({ generation }) => generation));
  const { reservedAt: _, cancelled: _told, sharedSince: _shared, ...producers } = before;
  const { notBefore = 0, expiresAt = now + 1, ...rest } = producers;
  if (expiresAt <= now) throw cannot(job, "its time to start has passed.");
  const createdAt = Math.max(now, before.createdAt + 1);
  const anew: Envelope = {
    ...rest,
    ...(notBefore > now ? { notBefore } : {}),
    ...(before.expiresAt === undefined ? {} : { expiresAt }),
    ...{ createdAt, generation: firstOfNextLife(latest) },
    // Its end is no second end of the first one, however soon it comes.
    ...{ firstStoredAt: await broker.serverNow(), unkeyed: createdAt },
    headers: { ...before.headers, "undone-operation": undoes },
  };
  await claimAnew(new UniqueClaims(broker), anew);
  await broker.requeue(anew);
  return true;
}

/** Only one that had a start time goes there at once. */
async function isDelayedAnew(
  broker: Broker,
  { id, queue, notBefore }: Envelope,
  isLater: (envelope: Envelope) => boolean,
): Promise<boolean> {
  if (notBefore === undefined) return false;
  const waiting = await broker.findWaiting(id, { queue });
  return waiting !== undefined && isLater(waiting.envelope);
}

/**
 * How a cancelled job has ended. One that still waits is taken out of its queue, and has no end on
 * record; one that a node has in hand is settled by that node.
 */
async function endOf(
  { job, before, arrival }: Pick<UndoneThing, "job" | "arrival"> & { readonly before: Envelope },
  { broker, clock, inDoubt, deadline }: Undoing,
): Promise<HistoryRecord | undefined> {
  if (arrival?.envelope.createdAt === before.createdAt) {
    const taken = await broker.arrivals.takeOut(job.queue, arrival.position);
    if (taken === "taken") return undefined;
  }
  for (;;) {
    const end = (await recordsOf(broker, job, before)).findLast(isFinal);
    if (end !== undefined) return end;
    if (clock.monotonic() >= deadline) break;
    await rest(clock);
  }
  // Whoever died with it had taken it out.
  if (inDoubt && !(await isSomewhere(broker, job))) return undefined;
  throw cannot(
    job,
    "it is cancelled and no node has settled it yet. Start a node of its queue or resume it, then undo the operation again.",
  );
}

/** A retried job that still waits is a dead letter again, with its reason. */
async function takeBack(
  { job, kept, arrival }: UndoneThing,
  { broker, clock, undoes, inDoubt, deadline }: Undoing,
): Promise<boolean> {
  const revived = revivedEnvelope(stored(kept), clock.now(), broker);
  const { life = 0, createdAt } = revived;
  const putLetterBack = (): Promise<number> =>
    broker.deadLetters.add(letterAfterLife(stored(kept), revived, broker), `undo/${undoes}`);
  const hasBegun = async (): Promise<boolean> =>
    (await recordsOf(broker, job, { createdAt })).some((record) => (record.life ?? 0) >= life);
  const lettersPlace = await sameLetter(broker, kept);
  const waits = arrival !== undefined && (arrival.envelope.life ?? 0) >= life;
  if (!waits && lettersPlace !== undefined && !inDoubt) return false;
  if (await hasBegun()) {
    if (lettersPlace !== undefined && inDoubt) await broker.deadLetters.remove(lettersPlace);
    throw cannot(job, "a node has had it.");
  }
  if (!waits) {
    if (inDoubt && !(await isSomewhere(broker, job))) {
      if (lettersPlace === undefined) await putLetterBack();
      return true;
    }
    throw cannot(job, "it does not wait in its queue any more.");
  }
  // The letter first: a death in between leaves a job and its letter, never neither.
  const place = lettersPlace ?? (await putLetterBack());
  const taken = await broker.arrivals.takeOut(job.queue, arrival.position);
  if (taken === "taken") return true;
  if (taken === "doubtful") {
    // Its message is gone, so a node that has it may die and leave nothing: only what is on record
    // may take its letter away.
    while (clock.monotonic() < deadline && !(await hasBegun())) await rest(clock);
    if (!(await hasBegun())) {
      if (!(await runs(broker, job))) return true;
      throw cannot(
        job,
        "a node got it at the same moment and has it still. It is a dead letter too: discard that once the job has ended well.",
      );
    }
  }
  await broker.deadLetters.remove(place);
  throw cannot(job, "a node has it.");
}

function cannot({ id, queue }: JobRef, why: string): MillraceError {
  return new MillraceError(
    "undo-impossible",
    `The job ${id} of the queue ${queue} stays as it is: ${why}`,
  );
}

/** It lies nowhere now. */
function stored({ letter }: KeptThing): StoredDeadLetter {
  return { ...letter, sequence: 0 };
}

/** Where the very letter that was kept lies, if it is there. */
async function sameLetter(broker: Broker, { letter }: KeptThing): Promise<number | undefined> {
  const { queue, id, at, attempts, reason } = letter;
  const found = (await broker.deadLetters.list({ queue, id })).find(
    (other) => other.at === at && other.attempts === attempts && other.reason === reason,
  );
  return found?.sequence;
}

async function recordsOf(
  broker: Broker,
  { id, queue }: JobRef,
  { createdAt }: Pick<Envelope, "createdAt">,
): Promise<readonly HistoryRecord[]> {
  const records = await broker.history.read({ id, queue });
  return records.filter((record) => (record.createdAt ?? createdAt) === createdAt);
}

async function isSomewhere(broker: Broker, job: JobRef): Promise<boolean> {
  const { id, queue } = job;
  return (await runs(broker, job)) || (await broker.findWaiting(id, { queue })) !== undefined;
}

async function runs(broker: Broker, { id, queue }: JobRef): Promise<boolean> {
  return (await broker.whoRuns(id, { timeoutMs: WHO_RUNS_MS }))?.queue === queue;
}

async function withdrawCancellation(broker: Broker, job: JobRef): Promise<void> {
  const documents = await broker.documents(CANCELLATIONS_BUCKET);
  const key = cancellationKey(job);
  if ((await documents.get(key)) !== undefined) await documents.remove(key);
}

function rest(clock: Clock): Promise<void> {
  return new Promise((resolve) => void clock.setTimer(REST_MS, resolve));
}
