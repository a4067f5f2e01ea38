import type { EnqueueRef, FirstMessage } from "../envelope/enqueue-ref.ts";
import type { StoredRecord } from "../broker/stores/history-store.ts";
import type { Envelope } from "../envelope/envelope.ts";
import type { QueueMessage } from "../envelope/message.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import type { HistoryRecord } from "./history-record.ts";

/** How long a queue remembers the ids of its messages. */
export interface IdMemory {
  readonly windowMs: number;
  /** When the queue was made, epoch milliseconds of the broker's clock: before, it knew nothing. */
  readonly since: number;
}

/** Of a queue that is not there. */
export const NO_MEMORY: IdMemory = Object.freeze({ windowMs: 0, since: Number.POSITIVE_INFINITY });

/**
 * Whether two messages are of one enqueue: they go back to the same first message, or to two of
 * which one is a duplicate. A queue keeps a duplicate out for as long as it remembers its ids. But
 * a server that was killed has forgotten those of what had left the queue. What had another
 * idempotency key, or none, is no duplicate: its producer, or the runtime, had it stored beside the
 * other.
 *
 * @returns undefined where one of them does not say it, because an older version wrote it
 */
export function isSameEnqueue(
  one: FirstMessage,
  other: FirstMessage,
  memory: IdMemory,
): boolean | undefined {
  const [a, b] = [one.firstStoredAt, other.firstStoredAt];
  const isOther = one.unkeyed !== other.unkeyed;
  // What follows a job has no first message before it is stored.
  if (a === undefined || b === undefined)
    return isOther && one.unkeyed !== undefined && other.unkeyed !== undefined ? false : undefined;
  if (isOther) return false;
  // Either may be the duplicate: it may have overtaken the job that it is of.
  return a === b || (Math.min(a, b) >= memory.since && Math.abs(a - b) < memory.windowMs);
}

/**
 * Whether a record ends a job, so that no other end of it is recorded: it is of the same enqueue,
 * and of the same life or of a later one, which only an end can have begun.
 */
export function isItsEnd(
  { record, storedAt }: StoredRecord,
  job: EnqueueRef,
  memory: IdMemory,
): boolean {
  const { firstStoredAt, life = 0 } = job;
  if (firstStoredAt === undefined || (record.life ?? 0) < life) return false;
  return (
    isSameEnqueue(record, job, memory) ??
    (record.createdAt === job.createdAt && storedAt >= firstStoredAt)
  );
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

/** When the job of a record was enqueued; where an older version wrote it, when it was settled. */
export function enqueuedAt({ firstStoredAt: storedAt, at }: HistoryRecord): number {
  return storedAt ?? at;
}

/** What tells a job's enqueue from others of its id, as far as its first message says it. */
export function firstMessageOf(envelope: Envelope, message: QueueMessage): FirstMessage {
  const at = firstStoredAt(envelope, message);
  const unkeyed = unkeyedPlace(envelope, message);
  return unkeyed === undefined ? { firstStoredAt: at } : { firstStoredAt: at, unkeyed };
}

/**
 * Where a job's first message lay, if its idempotency key was another than its id. What the runtime
 * publishes says so of the first, or brings something of its own from the start.
 */
export function unkeyedPlace(
  { generation, id, unkeyed }: Envelope,
  { headers, sequence }: QueueMessage,
): number | undefined {
  if (generation > 0 || unkeyed !== undefined) return unkeyed;
  return headers["nats-msg-id"] === id ? undefined : sequence;
}

export function alreadyEnded({ queue, id }: Pick<HistoryRecord, "queue" | "id">): MillraceError {
  return new MillraceError(
    "already-ended",
    `Another run of the job ${id} of the queue ${queue} has recorded its end. That one counts; record no other.`,
  );
}
