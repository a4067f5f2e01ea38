import {
  type Broker,
  callBack,
  dedupeWindowOf,
  enqueueOrBury,
  type Envelope,
  type JobRef,
  leaveUnlessMember,
} from "@millrace/core";

/** Named in letters. */
const NODE = "outbox-relay";

/** A job of a claim that is in its queue now. */
export interface PublishedJob {
  readonly envelope: Envelope;
  /** Whether it was there before; undefined where another relay or an earlier try published it. */
  readonly duplicate: boolean | undefined;
}

/**
 * Takes jobs out of their batches that their queue dropped for others of their ids, which have
 * ended or are none of these batches. No node settles them, so they would keep their batches open
 * for ever. Done before the claim is finished, and repeated with it.
 *
 * @param claim.ageMs of the claim, now: none of its jobs was published before
 */
export async function leaveBatches(
  broker: Broker,
  jobs: readonly PublishedJob[],
  { queue, ageMs }: { readonly queue: string; readonly ageMs: () => number },
): Promise<void> {
  const left = new Map<string, JobRef>();
  let since: number | undefined;
  for (const { envelope, duplicate } of jobs) {
    const { batch } = envelope;
    if (batch === undefined || duplicate === false) continue;
    since ??= await keptSince(broker, queue, ageMs());
    if ((await leaveUnlessMember(broker, batch, envelope, { since })) !== undefined)
      left.set(batch, envelope);
  }
  // As a node does it. That the callback's queue is full or gone is no trouble of the queue that is
  // relayed: its rows would wait for it, or be taken for such that can't be published.
  const host = { broker, clock: { now: () => broker.serverNow() }, node: NODE };
  for (const [batch, after] of left)
    await callBack(broker, batch, (callback) => enqueueOrBury(host, { after, callback }), true);
}

/** When the oldest job was stored, by the server's clock, for which one may have been dropped. */
async function keptSince(broker: Broker, queue: string, ageMs: number): Promise<number> {
  const windowMs = await dedupeWindowOf(broker, queue);
  return (await broker.serverNow()) - ageMs - windowMs;
}
