import type { Batch, BatchEnd, BatchSummary, EndedMember } from "../broker/stores/batch-store.ts";
import type { Broker } from "../broker/broker.ts";
import { MillraceError } from "../errors/millrace-error.ts";

/** So many jobs that did not succeed are named; the counts are of all. */
const NAMED = 1_000;

/** A batch that is over: what its callback says is decided. */
export type Closed = Batch & { readonly over: BatchSummary };

/**
 * Decides how the jobs of a batch ended, once for all: the batch is written with it, if it is still
 * as it was before anybody looked at its jobs. Whoever makes a batch again joins it and then writes
 * it too (`joinBatch`). So one of the two is refused: no callback says `refused` of a job that is
 * enqueued after all.
 *
 * @returns "gone" where there is no such batch; "open" where one of its jobs has not ended
 */
export async function closeBatch(broker: Broker, id: string): Promise<Closed | "gone" | "open"> {
  for (;;) {
    const found = await broker.batches.find(id);
    if (found === undefined) return "gone";
    const { revision, over, ...batch } = found;
    if (over !== undefined) return { ...batch, over };
    if ((await broker.batches.left(id)) > 0) return "open";
    const [ended, now] = await Promise.all([broker.batches.ended(id), broker.serverNow()]);
    // What it was before was no waiting for a start.
    const callback = { ...batch.callback, runnableAt: now };
    const closed = { ...batch, callback, over: summaryOf(id, ended) };
    try {
      if (await broker.batches.replace(closed, revision)) return closed;
    } catch (error) {
      // Then its callback is too large as well, which is for who enqueues it to say.
      if (MillraceError.is(error, "payload-too-large")) return closed;
      throw error;
    }
  }
}

function summaryOf(id: string, ended: readonly EndedMember[]): BatchSummary {
  const counts: Record<BatchEnd, number> = {
    succeeded: 0,
    dead: 0,
    expired: 0,
    cancelled: 0,
    refused: 0,
  };
  for (const { end } of ended) counts[end] += 1;
  const failed = ended.filter(({ end }) => end !== "succeeded").slice(0, NAMED);
  return { id, total: ended.length, ...counts, failed };
}
