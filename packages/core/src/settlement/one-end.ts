import type { StoredRecord } from "../broker/history-store.ts";
import type { Envelope, JobRef } from "../envelope/envelope.ts";
import type { QueueMessage } from "../envelope/message.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import type { HistoryRecord } from "./history-record.ts";

/** Which enqueue of an id, in which life of the job. */
export interface EnqueueRef extends JobRef {
  readonly createdAt?: number;
  readonly life?: number;
  /** When its first message was stored, epoch milliseconds of the broker's clock. */
  readonly firstStoredAt?: number;
  /** The place of that message, where its idempotency key was not its id. */
  readonly unkeyed?: number;
}

/**
 * Whether a record is of an enqueue: of the same time of creation and the same life. A producer may
 * write the same time each time that it uses an id: then what was stored before the first message
 * of an enqueue was another job's.
 *
 * @param since when that message was stored, epoch milliseconds of the broker's clock
 */
export function isSameJob(
  { record, storedAt }: StoredRecord,
  { createdAt, life = 0 }: Pick<EnqueueRef, "createdAt" | "life">,
  since: number,
): boolean {
  return record.createdAt === createdAt && (record.life ?? 0) === life && storedAt >= since;
}

/**
 * Whether an end keeps another from being recorded: it is of the same job, or of one that came
 * within the time for which the queue remembers ids. Then the second is a duplicate, which a server
 * that was killed has taken because it forgot the ids of what had left the queue. What had another
 * idempotency key, or none, is no duplicate: its producer, or the runtime, had it stored beside the
 * other.
 *
 * @param windowMs the queue's dedupe window
 */
export function isItsEnd(end: StoredRecord, job: EnqueueRef, windowMs: number): boolean {
  const { firstStoredAt } = job;
  if (firstStoredAt === undefined || job.unkeyed !== end.record.unkeyed) return false;
  if (isSameJob(end, job, firstStoredAt)) return true;
  const { firstStoredAt: other, life = 0 } = end.record;
  if (other === undefined || life !== (job.life ?? 0)) return false;
  // Either may end first: the duplicate may have overtaken the job that it is of.
  return Math.abs(firstStoredAt - other) < windowMs;
}

/**
 * When the first message of a job's enqueue was stored, epoch milliseconds of the broker's clock.
 * Records are stored at whole milliseconds.
 */
export function firstStoredAt(
  envelope: Pick<Envelope, "firstStoredAt" | "sharedSince">,
  { storedAt }: Pick<QueueMessage, "storedAt">,
): number {
  return envelope.firstStoredAt ?? Math.floor(envelope.sharedSince ?? storedAt);
}

/** What tells a job's enqueue from others of its id, as far as its first message says it. */
export function firstMessageOf(
  envelope: Envelope,
  message: QueueMessage,
): Pick<EnqueueRef, "firstStoredAt" | "unkeyed"> {
  const at = firstStoredAt(envelope, message);
  const unkeyed = unkeyedPlace(envelope, message);
  return unkeyed === undefined ? { firstStoredAt: at } : { firstStoredAt: at, unkeyed };
}

/**
 * Where a job's first message lay, if its idempotency key was another than its id. What the runtime
 * publishes again says so of the first.
 */
export function unkeyedPlace(
  { generation, id, unkeyed }: Envelope,
  { headers, sequence }: QueueMessage,
): number | undefined {
  if (generation > 0) return unkeyed;
  return headers["nats-msg-id"] === id ? undefined : sequence;
}

export function alreadyEnded({ queue, id }: Pick<HistoryRecord, "queue" | "id">): MillraceError {
  return new MillraceError(
    "already-ended",
    `Another run of the job ${id} of the queue ${queue} has recorded its end. That one counts; record no other.`,
  );
}
