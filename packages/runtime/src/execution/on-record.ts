import type { Envelope, HistoryStore, QueueMessage } from "@millrace/core";

/**
 * Whether this very message was settled before. Its id and generation are not enough: an id may be enqueued
 * anew once the dedupe window has passed, and is another message then.
 */
export async function isOnRecord(
  history: HistoryStore,
  { id, queue, generation }: Envelope,
  { sequence }: QueueMessage,
): Promise<boolean> {
  const records = await history.read({ id, queue });
  return records.some((record) => record.generation === generation && record.sequence === sequence);
}
