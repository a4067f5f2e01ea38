import {
  type Broker,
  CLOCK_SLACK_MS,
  type Envelope,
  type HistoryRecord,
  isSameEnqueue,
  orWhereDenied,
  NO_MEMORY,
  type WaitingJob,
} from "@millrace/core";
import type { AwaitedJob } from "./awaited-job.ts";

export function isFinal(record: HistoryRecord): boolean {
  return record.state !== "requeued";
}

/**
 * The record that ended the job, if it has ended. The end of an earlier life does not count:
 * neither of an earlier job with the same id, nor a death from which an operator brought the job
 * back.
 *
 * @param heard a record that was told just now, and may not be readable yet
 * @returns `unclear` where the job may be a duplicate of one that has ended, which a killed server
 *   took: as long as it is there, nobody knows; and when it is dropped, nobody says so
 */
export async function endOnRecord(
  broker: Broker,
  awaited: AwaitedJob,
  heard?: HistoryRecord,
): Promise<HistoryRecord | "unclear" | undefined> {
  for (let seen: HistoryRecord | undefined; ;) {
    const records = (await broker.history.read(awaited)).filter((one) => !isLater(one, awaited));
    if (heard !== undefined && isLater(heard, awaited)) heard = undefined;
    const job = identified(awaited, heard === undefined ? records : [...records, heard]);
    if (job === undefined) return undefined;
    const last = lastOf(records, heard, job);
    if (last === undefined || !isFinal(last)) return undefined;
    if (!isSurelyOwn(records, last, awaited) && (await mayBeAnothers(broker, last, job)))
      return "unclear";
    const others = isOfAnother(last, job);
    if (others && !(await mayBeDuplicateOf(broker, last, job))) return undefined;
    if (!others && !isDeath(last)) return last;
    // Where the job was looked for and not found, a second look at the history settles it: it may
    // have run in between.
    if (seen !== undefined && isSame(seen, last)) return last;
    if (!others && (await isLaidOut(broker, job, last))) return last;
    if (await isThere(broker, job, others ? undefined : last))
      return others ? "unclear" : undefined;
    seen = last;
  }
}

/**
 * A caller that was told "duplicate" knows where the job's first message lies or lay, but not when
 * the job was made: an earlier job may have the same id and live on. The job's records say both,
 * and its earliest place is that first message's, or a later one where the server had taken it
 * twice. Where the server took the caller's own twice, the first may have ended before the second
 * came: then there is a record of the first alone, and it is known by its time of creation.
 *
 * @returns the job with its time of creation; as it is where nobody can say it; undefined where all
 *   records are of jobs that came before it
 */
function identified(job: AwaitedJob, records: readonly HistoryRecord[]): AwaitedJob | undefined {
  const { sequence = 0, ownCreatedAt } = job;
  if (job.createdAt !== undefined || sequence === 0) return job;
  if (ownCreatedAt !== undefined && records.some((one) => one.createdAt === ownCreatedAt))
    return { ...job, createdAt: ownCreatedAt };
  const firsts = new Map<number, number>();
  for (const { createdAt, sequence: place } of records) {
    if (createdAt === undefined || place === undefined) return job;
    firsts.set(createdAt, Math.min(place, firsts.get(createdAt) ?? place));
  }
  const own = [...firsts]
    .filter(([, first]) => first >= sequence)
    .toSorted(([, a], [, b]) => a - b);
  const [createdAt] = own[0] ?? [];
  return createdAt === undefined ? undefined : { ...job, createdAt };
}

/** Whether a record is of a job that was first stored when the awaited one was on record. */
function isLater({ firstStoredAt }: HistoryRecord, { onRecordSince }: AwaitedJob): boolean {
  return (
    firstStoredAt !== undefined && onRecordSince !== undefined && firstStoredAt > onRecordSince
  );
}

/** Whether it is known when the job was made, or a record of its very message says so. */
function isSurelyOwn(
  records: readonly HistoryRecord[],
  end: HistoryRecord,
  { createdAt, ownCreatedAt, sequence = 0 }: AwaitedJob,
): boolean {
  if (createdAt !== undefined || sequence === 0) return true;
  if (ownCreatedAt !== undefined && ownCreatedAt === end.createdAt) return true;
  return [...records, end].some(
    (record) => record.sequence === sequence && record.createdAt === end.createdAt,
  );
}

/**
 * Whether an end may be of a job that came later than the one that is awaited. One whose earliest
 * record is of a later place has no record of its own message: a killed server took it twice, or
 * it has not come so far yet. Then its message is still there.
 */
async function mayBeAnothers(
  broker: Broker,
  end: HistoryRecord,
  { id, queue }: AwaitedJob,
): Promise<boolean> {
  const { firstStoredAt: storedBefore } = end;
  if (storedBefore === undefined) return false;
  // One that waits for its time may have come later still.
  const before = { storedBefore, enqueuedBefore: storedBefore };
  const waiting = await broker.findWaiting(id, { queue, ...before });
  return waiting !== undefined && waiting.envelope.createdAt !== end.createdAt;
}

/**
 * Whether a job came so soon after one of its id that has ended that it is dropped as a duplicate.
 * Without the right to ask how long the queue remembers ids, it is taken for another job.
 */
async function mayBeDuplicateOf(
  broker: Broker,
  { firstStoredAt, createdAt }: HistoryRecord,
  job: AwaitedJob,
): Promise<boolean> {
  const before = firstStoredAt ?? createdAt;
  if (before === undefined || job.createdAt === undefined || job.unkeyed !== undefined)
    return false;
  const settings = await orWhereDenied(undefined, () => broker.queues.settings(job.queue));
  if (settings === undefined) return false;
  const { dedupeWindowMs = 0 } = settings;
  return Math.abs(job.createdAt - before) < dedupeWindowMs + CLOCK_SLACK_MS;
}

/**
 * Whether the job itself waits, or runs, in a life after the one that has ended. Another of its id
 * may lie before it.
 *
 * @param end of it; undefined: any life of it counts
 */
async function isThere(
  broker: Broker,
  { id, queue, createdAt: own }: AwaitedJob,
  end: HistoryRecord | undefined,
): Promise<boolean> {
  const createdAt = end === undefined ? own : end.createdAt;
  // An earlier version says of an unreadable job that is mended another time of creation.
  const isOfEnd = (envelope: Envelope): boolean =>
    end !== undefined && isSameEnqueue(envelope, end, NO_MEMORY) === true;
  const where = ({ envelope }: WaitingJob): boolean =>
    (createdAt === undefined || envelope.createdAt === createdAt || isOfEnd(envelope)) &&
    envelope.generation > (end?.generation ?? -1);
  return (await broker.findWaiting(id, { queue, where })) !== undefined;
}

/** Letters hold what their jobs carried. */
const LETTERS = 20;

/** The letter of a dead job lies there until it is retried or discarded; others of its id, too. */
async function isLaidOut(
  broker: Broker,
  { id, queue }: AwaitedJob,
  end: HistoryRecord,
): Promise<boolean> {
  for (let after = 0; ;) {
    const letters = await broker.deadLetters.list({ id, queue, after, limit: LETTERS });
    if (letters.some((letter) => isSameEnqueue(letter, end, NO_MEMORY) ?? true)) return true;
    const last = letters.at(-1);
    if (last === undefined || letters.length < LETTERS) return false;
    after = last.sequence;
  }
}

/** Dead letters can be retried; what ended otherwise has ended. */
export function isDeath({ state }: HistoryRecord): boolean {
  return state === "dead" || state === "expired";
}

/** Of several jobs of the id its own, by its time of creation. */
function lastOf(
  records: readonly HistoryRecord[],
  heard: HistoryRecord | undefined,
  job: AwaitedJob,
): HistoryRecord | undefined {
  const { createdAt, closesBatch } = job;
  const isKnown = (record: HistoryRecord): boolean =>
    closesBatch !== undefined || (createdAt !== undefined && record.createdAt === createdAt);
  const isOwn = (record: HistoryRecord | undefined): boolean =>
    record !== undefined && isKnown(record) && !isOfAnother(record, job);
  const own = later(records.findLast(isOwn), isOwn(heard) ? heard : undefined);
  return own ?? later(records.at(-1), heard);
}

/** Places in a queue only grow. */
function later(
  a: HistoryRecord | undefined,
  b: HistoryRecord | undefined,
): HistoryRecord | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return (b.sequence ?? 0) > (a.sequence ?? 0) ? b : a;
}

/**
 * Whether a record is of another job of the id. A job that was published twice has two places, and
 * the end of the first is its end: both have the same time of creation. Another job may have come
 * later, and ended sooner.
 */
export function isOfAnother(record: HistoryRecord, job: AwaitedJob): boolean {
  const { sequence, createdAt, unkeyed, closesBatch } = job;
  if (isLater(record, job)) return true;
  if (closesBatch !== undefined) return !closes(record, closesBatch);
  if (createdAt !== undefined && record.createdAt !== undefined)
    return record.createdAt !== createdAt || !isAfter(record, createdAt, unkeyed);
  // A job that could not be enqueued after another has a record without either.
  if (createdAt !== undefined && unkeyed !== undefined)
    return record.at < createdAt - CLOCK_SLACK_MS;
  return sequence !== undefined && record.sequence !== undefined && record.sequence < sequence;
}

/** An earlier version's callback does not say of which batch: it came from a node all the same. */
function closes(record: HistoryRecord, batch: string): boolean {
  if (record.closes !== undefined) return record.closes.id === batch;
  return record.door === "runtime" && record.sentFrom === undefined;
}

/** Whether a job that follows others may be the one that follows this end. */
function isAfter({ unkeyed }: HistoryRecord, createdAt: number, mark: number | undefined): boolean {
  if (mark === undefined || unkeyed === undefined) return true;
  // An earlier version marks what follows by the millisecond alone.
  return unkeyed === mark || unkeyed === Math.floor(createdAt);
}

function isSame(a: HistoryRecord, b: HistoryRecord): boolean {
  return a.generation === b.generation && a.sequence === b.sequence && a.at === b.at;
}
