import {
  batchEnd,
  brokenLink,
  type Broker,
  callBack,
  type Clock,
  type Envelope,
  MillraceError,
  recordError,
} from "@millrace/core";
import { isHopeless, NO_ROOM_MS } from "./settlement-fallback.ts";
import type { Settled, SettlementHook } from "./settlement-hook.ts";

export interface BatchHookHost {
  /** What is published by it is counted and traced. */
  readonly broker: Broker;
  readonly clock: Pick<Clock, "now">;
  readonly node: string;
}

/**
 * Takes a job that has ended out of its batch, and enqueues the batch's callback where it was the
 * last. Before the ack: a crash in between brings the job back, it is recalled, and comes by here
 * again.
 */
export function batchHook(host: BatchHookHost): SettlementHook {
  const { broker } = host;
  return {
    concerns: ({ batch }, { state }) =>
      batch !== undefined && (state === "recalled" || batchEnd(state) !== undefined),
    beforeAck: async (settled) => {
      const { envelope, settlement, recorded, lease } = settled;
      const { batch, id, queue } = envelope;
      const end = batchEnd(recorded?.state ?? settlement.state);
      if (batch === undefined || end === undefined) return;
      const publish = (callback: Envelope): Promise<void> => follow(host, settled, callback);
      const othersLeft = await broker.batches.leave(batch, { id, queue }, end, { lease });
      if (!othersLeft) await callBack(broker, batch, publish, recorded !== undefined);
    },
  };
}

/**
 * As the next job of a chain: straight to its queue, among the delayed jobs where that is full, and
 * a letter where it can't be enqueued at all.
 */
async function follow(
  { broker, clock, node }: BatchHookHost,
  { envelope, lease, alsoSettle }: Settled,
  callback: Envelope,
): Promise<void> {
  try {
    await broker.requeue(callback, { lease });
  } catch (error) {
    const now = clock.now();
    if (MillraceError.is(error, "queue-full"))
      return broker.requeue({ ...callback, notBefore: now + NO_ROOM_MS }, { lease });
    if (!isHopeless(error)) throw error;
    const from = { envelope, now, node };
    try {
      await alsoSettle(brokenLink(from, callback, recordError(error)));
    } catch (refused) {
      if (!MillraceError.is(refused, "payload-too-large")) throw refused;
      await alsoSettle(brokenLink(from, callback, recordError(error), "lost"));
    }
  }
}
