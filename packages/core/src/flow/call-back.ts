import type { BatchEnd, BatchSummary } from "../broker/stores/batch-store.ts";
import type { Broker } from "../broker/broker.ts";
import type { Envelope } from "../envelope/envelope.ts";
import { type Closed, closeBatch } from "./close-batch.ts";
import { isKnownJob } from "./known-job.ts";

/** What a batch's callback is told, beside the input it was given when the batch was made. */
export interface BatchEnded<Input = unknown> {
  readonly batch: BatchSummary;
  readonly input: Input;
}

/**
 * Enqueues the callback of a batch whose jobs have all ended, then forgets the batch. Every node
 * that finds that no job is left calls this. It may be several at once, and one of them again after
 * a crash. The callback's id makes them one, and the node that closed the batch decided what it
 * says. Nothing is done where a job that had been refused has joined again.
 *
 * @param publish enqueues it, confirmed
 * @param repeated it may have been done before, so long ago that the queue has forgotten the id
 */
export async function callBack(
  broker: Broker,
  id: string,
  publish: (callback: Envelope) => Promise<unknown>,
  repeated: boolean,
): Promise<void> {
  const closed = await closeBatch(broker, id);
  // The node that removed it may have died in between.
  if (closed === "gone" && repeated) await broker.batches.removeRest(id);
  if (closed === "gone" || closed === "open") return;
  const callback = callbackOf(closed);
  // By when it was made: an earlier batch of the id has called back under the same one.
  if (!repeated || !(await isKnownJob(broker, callback))) await publish(callback);
  await broker.batches.remove(id);
}

/**
 * Whether a batch of the id has been called back, this one or an earlier one. A producer of the
 * queue may have used the callback's id: only what the runtime enqueued is a callback.
 */
export async function isCalledBack(
  broker: Broker,
  { id, queue }: Pick<Envelope, "id" | "queue">,
): Promise<boolean> {
  const isOnRecord = async (): Promise<boolean> => {
    const records = await broker.history.read({ id, queue });
    return records.some(({ door, sentFrom }) => door === "runtime" && sentFrom === undefined);
  };
  if (await isOnRecord()) return true;
  const waiting = await broker.findWaiting(id, {
    queue,
    where: ({ envelope }) => envelope.sentFrom === undefined,
  });
  if (waiting !== undefined) return true;
  // It may have run, or moved from one place to another, between the two looks.
  return isOnRecord();
}

function callbackOf({ callback, over }: Closed): Envelope {
  const payload: BatchEnded = { batch: over, input: callback.payload };
  const { failed: _named, ...closes } = over;
  return { ...callback, payload, closes };
}

/** How a job has ended, in a batch's words; undefined where it has not. */
export function batchEnd(state: string): BatchEnd | undefined {
  return state === "succeeded" || state === "dead" || state === "expired" || state === "cancelled"
    ? state
    : undefined;
}
