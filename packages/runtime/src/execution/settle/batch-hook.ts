import {
  batchEnd,
  type BatchEnd,
  type Broker,
  callBack,
  type Clock,
  enqueueOrBury,
  type Envelope,
  type JobRef,
  type SecondLooks,
} from "@millrace/core";
import type { SettlementHook } from "./settlement-hook.ts";

export interface BatchHookHost {
  /** What is published by it is counted and traced. */
  readonly broker: Broker;
  readonly clock: Pick<Clock, "now">;
  readonly node: string;
  readonly looks: SecondLooks;
}

/** A job of a batch that has ended. */
interface Member extends JobRef {
  readonly batch: string;
  readonly end: BatchEnd;
  /** When it left, epoch milliseconds. */
  readonly at: number;
}

/**
 * Takes a job that has ended out of its batch, and enqueues the batch's callback where it was the
 * last. Before the ack: a crash in between brings the job back, it is recalled, and comes by here
 * again.
 */
export function batchHook(host: BatchHookHost): SettlementHook {
  const { broker, clock, looks } = host;
  return {
    concerns: ({ batch }, { state, reason }) =>
      batch === undefined
        ? reason === "undecodable"
        : state === "recalled" || batchEnd(state) !== undefined,
    beforeAck: async (settled) => {
      const { envelope, settlement, recorded, lease } = settled;
      const { id, queue } = envelope;
      const end = batchEnd(recorded?.state ?? settlement.state);
      if (end === undefined) return;
      // Its batch stands in the bytes that nobody can decode, and knows it by its id.
      const batch = envelope.batch ?? (await broker.batches.batchOf({ id, queue }));
      if (batch === undefined) return;
      const publish = (callback: Envelope): Promise<void> =>
        enqueueOrBury(host, { after: envelope, callback, lease }, settled.alsoSettle);
      const othersLeft = await broker.batches.leave(batch, { id, queue }, end, { lease });
      if (othersLeft === false) await callBack(broker, batch, publish, recorded !== undefined);
      // One look will do for all jobs of a batch, but for one of which the batch knew nothing.
      const member = { batch, id, queue, end, at: clock.now() };
      const key = othersLeft === undefined ? `${batch} ${queue} ${id}` : batch;
      looks.later(`${key} left`, () => lookAgain(host, member));
    },
  };
}

/** The job may be in the batch after all, or the others may have left it. */
async function lookAgain(
  host: BatchHookHost,
  { batch, id, queue, end, at }: Member,
): Promise<void> {
  const { batches } = host.broker;
  const found = await batches.find(batch);
  // Called back; or another was made since, whose job of this id has not ended.
  if (found === undefined || found.createdAt > at) return;
  if ((await batches.leave(batch, { id, queue }, end)) !== false) return;
  await callBack(
    host.broker,
    batch,
    (callback) => enqueueOrBury(host, { after: { id, queue }, callback }),
    true,
  );
}
