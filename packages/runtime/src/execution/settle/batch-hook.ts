import {
  batchEnd,
  type BatchEnd,
  brokenLink,
  type Broker,
  callBack,
  type Clock,
  type Envelope,
  type JobRef,
  type Lease,
  MillraceError,
  recordError,
  type SecondLooks,
} from "@millrace/core";
import { isHopeless, NO_ROOM_MS } from "./settlement-fallback.ts";
import type { Settled, SettlementHook } from "./settlement-hook.ts";

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

/** A callback, and the job after which it is enqueued. */
interface Following {
  readonly after: JobRef;
  readonly callback: Envelope;
  readonly lease?: Lease;
}

/**
 * Takes a job that has ended out of its batch, and enqueues the batch's callback where it was the
 * last. Before the ack: a crash in between brings the job back, it is recalled, and comes by here
 * again.
 */
export function batchHook(host: BatchHookHost): SettlementHook {
  const { broker, clock, looks } = host;
  return {
    concerns: ({ batch }, { state }) =>
      batch !== undefined && (state === "recalled" || batchEnd(state) !== undefined),
    beforeAck: async (settled) => {
      const { envelope, settlement, recorded, lease } = settled;
      const { batch, id, queue } = envelope;
      const end = batchEnd(recorded?.state ?? settlement.state);
      if (batch === undefined || end === undefined) return;
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
    (callback) => followLater(host, { id, queue }, callback),
    true,
  );
}

/** Straight to its queue, among the delayed jobs where that is full. */
async function enqueue(
  { broker, clock }: BatchHookHost,
  callback: Envelope,
  lease?: Lease,
): Promise<void> {
  const held = lease === undefined ? {} : { lease };
  try {
    await broker.requeue(callback, held);
  } catch (error) {
    if (!MillraceError.is(error, "queue-full")) throw error;
    await broker.requeue({ ...callback, notBefore: clock.now() + NO_ROOM_MS }, held);
  }
}

/**
 * As `enqueueOrBury` when nothing is settled any more: of what is buried the letter alone is kept,
 * as no record is written but with a settlement.
 */
async function followLater(host: BatchHookHost, after: JobRef, callback: Envelope): Promise<void> {
  await enqueueOrBury(host, { after, callback }, async (steps) => {
    for (const step of steps)
      if (step.do === "bury")
        await host.broker.deadLetters.add(step.letter, step.once ?? callback.id);
  });
}

/**
 * As the next job of a chain: straight to its queue, among the delayed jobs where that is full, and
 * a letter where it can't be enqueued at all.
 */
async function enqueueOrBury(
  host: BatchHookHost,
  { after, callback, lease }: Following,
  settle: Settled["alsoSettle"],
): Promise<void> {
  try {
    await enqueue(host, callback, lease);
  } catch (error) {
    if (!isHopeless(error)) throw error;
    const from = { envelope: after, now: host.clock.now(), node: host.node };
    try {
      await settle(brokenLink(from, callback, recordError(error)));
    } catch (refused) {
      if (!MillraceError.is(refused, "payload-too-large")) throw refused;
      await settle(brokenLink(from, callback, recordError(error), "lost"));
    }
  }
}
