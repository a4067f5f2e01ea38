import {
  type Broker,
  callBackIfOver,
  type Envelope,
  leaveIfEnded,
  wasEnqueued,
} from "@millrace/core";

/** A job of a claim that is in its queue now. */
export interface PublishedJob {
  readonly envelope: Envelope;
  /** Whether it was there before; undefined where another relay or an earlier try published it. */
  readonly duplicate: boolean | undefined;
}

/**
 * Takes jobs out of their batches that had ended before they were published: their queue knew the
 * ids. No node settles them again, so they would keep their batches open for ever. Done before the
 * claim is finished, and repeated with it.
 */
export async function leaveBatches(broker: Broker, jobs: readonly PublishedJob[]): Promise<void> {
  const left = new Set<string>();
  for (const { envelope, duplicate } of jobs) {
    const { batch } = envelope;
    if (batch === undefined || duplicate === false) continue;
    if (duplicate === undefined && (await isOfItself(broker, envelope))) continue;
    if (await leaveIfEnded(broker, batch, envelope)) left.add(batch);
  }
  for (const batch of left) await callBackIfOver(broker, batch);
}

/** Whether the job of this id that is there is this one: then its node takes it out. */
function isOfItself(broker: Broker, envelope: Envelope): Promise<boolean> {
  return wasEnqueued(broker, envelope, {
    waiting: ({ createdAt }) => createdAt === envelope.createdAt,
    recorded: ({ createdAt }) => createdAt === envelope.createdAt,
  });
}
