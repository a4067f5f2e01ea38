import { type Envelope, isSameEnqueue, NO_MEMORY } from "@millrace/core";
import type { StoredMsg } from "@nats-io/jetstream";
import type { ServerAccess } from "../store/server-access.ts";
import { readHistoryRecord } from "../messages/history-message.ts";
import { lastMessage, nextMessage } from "../reads/next-message.ts";
import { plainBytes } from "../wire/plain-bytes.ts";

export interface RecordsAfter {
  /** Only records behind this place of the history count. */
  readonly after?: number;
  /**
   * Of records that don't say of which enqueue they are, only those that were stored since, epoch
   * milliseconds of the server's clock.
   */
  readonly since?: number;
}

/**
 * Whether a job has run in this generation or in a later one, from another place than where it
 * lies: then what lies there must not bring it a second time. An id may be another job's too, whose
 * records may come before and after, so all of them are looked at.
 */
export async function hasRun(
  server: ServerAccess,
  job: Envelope,
  { after = 0, since = 0 }: RecordsAfter,
): Promise<boolean> {
  const { queue, id } = job;
  // By whole subjects: with a wildcard the server would search a long history from end to end.
  const found = await Promise.all(
    (["requeued", "ended"] as const).map((kind) =>
      hasRecord(server, server.names.history(queue, id, kind), after, (stored) =>
        isOf(stored, job, since),
      ),
    ),
  );
  return found.includes(true);
}

async function hasRecord(
  { jsm, names }: ServerAccess,
  subject: string,
  after: number,
  isIt: (stored: StoredMsg) => boolean,
): Promise<boolean> {
  const last = await lastMessage(jsm, names.historyStream, subject);
  if (last === undefined || last.seq <= after) return false;
  if (isIt(last)) return true;
  for (let from = after + 1; ;) {
    const stored = await nextMessage(jsm, names.historyStream, from, subject);
    if (stored === undefined || stored.seq >= last.seq) return false;
    if (isIt(stored)) return true;
    from = stored.seq + 1;
  }
}

function isOf(stored: StoredMsg, job: Envelope, since: number): boolean {
  const record = readHistoryRecord(plainBytes(stored.data));
  if (record === undefined || record.generation < job.generation) return false;
  if ((record.createdAt ?? job.createdAt) !== job.createdAt) return false;
  return isSameEnqueue(record, job, NO_MEMORY) ?? stored.time.getTime() >= since;
}
