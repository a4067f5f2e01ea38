import { type Broker, callBackIfOver, isKnownJob, joinBatch } from "@millrace/core";
import { type BatchInRow, membersOf } from "../rows/batch-row.ts";
import { isRefusedForGood } from "../store/outbox-error.ts";
import type { Claim, OutboxStore } from "../store/outbox-store.ts";

/**
 * Makes a batch known, then puts its jobs into the place of its row: no job can end before its
 * batch is there. Whatever of it is repeated after a crash is the same again. A batch that was over
 * before enqueues nothing, as with a client.
 *
 * @returns whether it was over before
 * @throws MillraceError `queue-not-found` where the callback's queue does not exist: all waits
 */
export async function openBatch(
  broker: Broker,
  store: Pick<OutboxStore, "replace">,
  queue: string,
  claim: Claim,
  { seq, batch }: { readonly seq: number; readonly batch: BatchInRow },
): Promise<boolean> {
  const { id, isKey, createdAt, callback, members } = batch;
  await broker.queues.snapshot(callback.queue);
  const made = { id, createdAt, callback };
  const { isOver, madeAt } = await joinBatch(broker, made, membersOf(batch), { isKey });
  // Of nothing, or made again after all have ended. Before the row goes, or nobody would.
  if (!isOver) await callBackIfOver(broker, id);
  try {
    if (await store.replace(queue, claim, seq, isOver ? [] : members)) return isOver;
  } catch (error) {
    // Its row is set aside, and none of its jobs ever ends. One that was there before may be
    // somebody else's.
    if (madeAt === undefined && !isOver && isRefusedForGood(error)) await broker.batches.remove(id);
    throw error;
  }
  // Another relay was first. Its jobs may all have ended by then, and the batch been removed, so
  // that this one has made it once more, for nobody. Where it dies before this, `batchSweep` does.
  if (await isKnownJob(broker, callback)) await broker.batches.remove(id);
  return isOver;
}
