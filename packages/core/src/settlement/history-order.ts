import type { HistoryRecord } from "./history-record.ts";
import { isSameEnqueue } from "./one-end.ts";

type Place = Pick<HistoryRecord, "queue" | "generation" | "sequence">;

/**
 * Whether a record that was stored later is about an earlier message of its job: its holder died
 * with the next message published and nothing on record, and when the message came again the job
 * had gone on. Both numbers must say so: an id that is used again begins with generation 0.
 */
export function isOvertaken(record: Place, by: Place): boolean {
  return (
    by.queue === record.queue &&
    by.generation > record.generation &&
    by.sequence !== undefined &&
    record.sequence !== undefined &&
    by.sequence > record.sequence
  );
}

/**
 * Whether a job had ended, by the first record, when the second was stored: a server that was
 * killed, or a partition, can make a job run twice, and both runs settle. The first end counts for
 * ever; what came after it is shown before it.
 */
export function isAfterEnd(record: HistoryRecord, end: HistoryRecord): boolean {
  return (
    end.state !== "requeued" &&
    end.queue === record.queue &&
    (end.life ?? 0) >= (record.life ?? 0) &&
    isOfSameJob(record, end)
  );
}

/**
 * A job is known by its first message (docs/decisions/settlement.md). If a killed server took a
 * duplicate, its time of creation is the same too. A producer that writes the same time for every
 * job of an id doesn't use the id again so soon.
 */
function isOfSameJob(one: HistoryRecord, other: HistoryRecord): boolean {
  const windowMs = one.createdAt === other.createdAt ? DUPLICATE_WITHIN_MS : 0;
  return isSameEnqueue(one, other, { windowMs, since: 0 }) === true;
}

/** For longer than this nobody sends a publish again that was not confirmed. */
const DUPLICATE_WITHIN_MS = 60_000;

/**
 * A job's records, given as they were stored, in the order of its messages, and the end that counts
 * behind all others: the last tells where the job is.
 */
export function inOrderOfMessages(records: readonly HistoryRecord[]): readonly HistoryRecord[] {
  const ordered: HistoryRecord[] = [];
  for (const record of records) {
    const end = ordered.findLastIndex((before) => isAfterEnd(record, before));
    const behind =
      end < 0 ? ordered.findLastIndex((before) => !isOvertaken(record, before)) : end - 1;
    ordered.splice(behind + 1, 0, record);
  }
  return ordered;
}

/**
 * Whether the earlier of two records of a job, in the order of storing, tells where the job is.
 */
export function outranks(earlier: HistoryRecord, later: HistoryRecord): boolean {
  return isAfterEnd(later, earlier) || isOvertaken(later, earlier);
}
