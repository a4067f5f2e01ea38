import type { ServerAccess } from "../store/server-access.ts";
import { readHistoryRecord } from "../settlement/history-message.ts";
import { nextMessage } from "../store/next-message.ts";
import { plainBytes } from "../wire/plain-bytes.ts";

/**
 * Whether a job that was moved has run from where it was moved away: then the place it was moved to
 * must not bring it a second time. Only records behind the one that was last when it was moved
 * count: an id may have had an earlier life.
 */
export async function hasRun(
  { jsm, names }: ServerAccess,
  job: { readonly queue: string; readonly id: string; readonly generation: number },
  movedAfter: number,
): Promise<boolean> {
  const subject = names.history(job.queue, job.id);
  for (let from = movedAfter + 1; ;) {
    const stored = await nextMessage(jsm, names.historyStream, from, subject);
    if (stored === undefined) return false;
    if (readHistoryRecord(plainBytes(stored.data))?.generation === job.generation) return true;
    from = stored.seq + 1;
  }
}
