import { type Broker, callBackIfOver, isKnownJob, joinBatch } from "@millrace/core";
import { type BatchInRow, membersOf } from "../rows/batch-row.ts";
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
  const { isOver } = await joinBatch(broker, made, membersOf(batch), { isKey });
  // Of nothing, made again after all have ended, or closed by a relay that died before it called
  // back. Before the row goes, or nobody would.
  await callBackIfOver(broker, id);
  if (await store.replace(queue, claim, seq, isOver ? [] : members)) return isOver;
  // Another relay was first. Its jobs may all have ended by then, and the batch been removed, so
  // that this one has made it once more, for nobody. Where it dies before this, `batchSweep` does.
  const found = await broker.batches.find(id);
  if (found !== undefined && (await isKnownJob(broker, found.callback)))
    await broker.batches.remove(id, found.revision);
  return isOver;
}

/**
 * Removes what was made known of a batch whose row is about to be set aside: none of its jobs ever
 * ends. It may be another relay that made it, which died before this. A batch that was there before
 * is somebody else's, and so is one that somebody has joined since.
 */
export async function takeBatchBack(
  { batches }: Pick<Broker, "batches">,
  { id, createdAt, callback }: BatchInRow,
): Promise<void> {
  const found = await batches.find(id);
  if (found?.createdAt === createdAt && found.callback.createdAt === callback.createdAt)
    await batches.remove(id, found.revision);
}
