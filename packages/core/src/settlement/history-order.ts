import type { HistoryRecord } from "./history-record.ts";

type Place = Pick<HistoryRecord, "queue" | "generation" | "sequence">;

/**
 * Whether a record that was stored later is about an earlier message of its job: its holder died with the next message published and nothing on
 * record, and when the message came again the job had gone on. Both numbers must say so: an id that is used again begins with generation 0.
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

/** A job's records, given as they were stored, in the order of its messages: the last tells where the job is. */
export function inOrderOfMessages(records: readonly HistoryRecord[]): readonly HistoryRecord[] {
  const ordered: HistoryRecord[] = [];
  for (const record of records) {
    const behind = ordered.findLastIndex((before) => !isOvertaken(record, before));
    ordered.splice(behind + 1, 0, record);
  }
  return ordered;
}
