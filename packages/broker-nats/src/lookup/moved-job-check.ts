import { type Envelope, isSameEnqueue, NO_MEMORY } from "@millrace/core";
import type { ServerAccess } from "../store/server-access.ts";
import { readHistoryRecord } from "../messages/history-message.ts";
import { lastMessage } from "../reads/next-message.ts";
import { readStream, type StreamMessage } from "../reads/read-stream.ts";
import { plainBytes } from "../wire/plain-bytes.ts";

/** To make a reader of batches costs as much as so many reads. */
const ONE_BY_ONE = 20;

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
  { nc, jsm, names }: ServerAccess,
  subject: string,
  after: number,
  isIt: (stored: Stored) => boolean,
): Promise<boolean> {
  const { historyStream: stream } = names;
  const last = await lastMessage(jsm, stream, subject);
  if (last === undefined || last.seq <= after) return false;
  if (isIt({ data: plainBytes(last.data), storedAt: last.time.getTime() })) return true;
  // A job of many retries has many records: what is longer than a few is read in batches.
  const range = { stream, filter: subject, from: after + 1, leaderReads: ONE_BY_ONE };
  for await (const stored of readStream(nc, jsm, range)) {
    if (stored.sequence >= last.seq) return false;
    if (isIt(stored)) return true;
  }
  return false;
}

type Stored = Pick<StreamMessage, "data" | "storedAt">;

function isOf({ data, storedAt }: Stored, job: Envelope, since: number): boolean {
  const record = readHistoryRecord(data);
  if (record === undefined || record.generation < job.generation) return false;
  if ((record.createdAt ?? job.createdAt) !== job.createdAt) return false;
  return isSameEnqueue(record, job, NO_MEMORY) ?? storedAt >= since;
}
