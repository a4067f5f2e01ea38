import { type Envelope, type HistoryRecord, isSameEnqueue, NO_MEMORY } from "@millrace/core";
import type { ServerAccess } from "../store/server-access.ts";
import { readHistoryRecord } from "../messages/history-message.ts";
import { nextMessage } from "../reads/next-message.ts";
import { plainBytes } from "../wire/plain-bytes.ts";

/**
 * Whether a job that was moved has run from where it was moved away: then the place it was moved to
 * must not bring it a second time. Only records behind the one that was last when it was moved
 * count: an id may have had an earlier life. Another job of its id may have run since.
 */
export async function hasRun(
  { jsm, names }: ServerAccess,
  job: Envelope,
  movedAfter: number,
): Promise<boolean> {
  const subject = names.history(job.queue, job.id);
  for (let from = movedAfter + 1; ;) {
    const stored = await nextMessage(jsm, names.historyStream, from, subject);
    if (stored === undefined) return false;
    const record = readHistoryRecord(plainBytes(stored.data));
    if (record !== undefined && isOf(record, job)) return true;
    from = stored.seq + 1;
  }
}

function isOf(record: HistoryRecord, job: Envelope): boolean {
  return (
    record.generation === job.generation &&
    (record.createdAt ?? job.createdAt) === job.createdAt &&
    isSameEnqueue(record, job, NO_MEMORY) !== false
  );
}
