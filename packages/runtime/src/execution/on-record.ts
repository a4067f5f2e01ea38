import type { Envelope, HistoryRecord, HistoryStore, QueueMessage } from "@millrace/core";

/**
 * The record of this very message, where it was settled before. Its id and generation are not enough: an id may be enqueued
 * anew once the dedupe window has passed, and is another message then.
 */
export async function findOnRecord(
  history: HistoryStore,
  { id, queue, generation }: Envelope,
  { sequence }: QueueMessage,
): Promise<HistoryRecord | undefined> {
  const records = await history.read({ id, queue });
  return records.findLast(
    (record) => record.generation === generation && record.sequence === sequence,
  );
}
