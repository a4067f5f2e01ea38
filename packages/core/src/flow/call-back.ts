import type { Batch, BatchEnd, EndedMember } from "../broker/batch-store.ts";
import type { Broker } from "../broker/broker.ts";
import type { Envelope } from "../envelope/envelope.ts";

/** So many jobs that did not succeed are named; the counts are of all. */
const NAMED = 1_000;

/** What a batch's callback is told, beside the input it was given when the batch was made. */
export interface BatchEnded<Input = unknown> {
  readonly batch: BatchSummary;
  readonly input: Input;
}

/** How the jobs of a batch ended. The counts are of all of them. */
export interface BatchSummary extends Readonly<Record<BatchEnd, number>> {
  readonly id: string;
  readonly total: number;
  /** The jobs that did not succeed, up to 1,000. */
  readonly failed: readonly EndedMember[];
}

/**
 * Enqueues the callback of a batch whose jobs have all ended, then forgets the batch. Whoever finds
 * that none is left calls this; it may be several at once, and one of them again after a crash: the
 * callback's id makes them one.
 *
 * @param publish enqueues it, confirmed
 * @param repeated it may have been done before, so long ago that the queue has forgotten the id
 */
export async function callBack(
  broker: Broker,
  id: string,
  publish: (callback: Envelope) => Promise<void>,
  repeated: boolean,
): Promise<void> {
  const batch = await broker.batches.find(id);
  if (batch === undefined) {
    // Whoever removed it may have died in between.
    if (repeated) await broker.batches.removeRest(id);
    return;
  }
  const callback = callbackOf(batch, await broker.batches.ended(id));
  if (!repeated || !(await isKnown(broker, callback))) await publish(callback);
  await broker.batches.remove(id);
}

/** A producer of the queue may have used its id: only what the runtime enqueued is the callback. */
async function isKnown(broker: Broker, { id, queue }: Envelope): Promise<boolean> {
  const records = await broker.history.read({ id, queue });
  if (records.some(({ door }) => door === "runtime")) return true;
  const waiting = await broker.findWaiting(id, { queue });
  return waiting !== undefined && waiting.envelope.sentFrom === undefined;
}

function callbackOf({ id, callback }: Batch, ended: readonly EndedMember[]): Envelope {
  const counts: Record<BatchEnd, number> = {
    succeeded: 0,
    dead: 0,
    expired: 0,
    cancelled: 0,
    refused: 0,
  };
  for (const { end } of ended) counts[end] += 1;
  const failed = ended.filter(({ end }) => end !== "succeeded").slice(0, NAMED);
  const payload: BatchEnded = {
    batch: { id, total: ended.length, ...counts, failed },
    input: callback.payload,
  };
  return { ...callback, payload };
}

/** How a job has ended, in a batch's words; undefined where it has not. */
export function batchEnd(state: string): BatchEnd | undefined {
  return state === "succeeded" || state === "dead" || state === "expired" || state === "cancelled"
    ? state
    : undefined;
}
