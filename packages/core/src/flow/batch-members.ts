import type { Broker } from "../broker/broker.ts";
import type { JobRef } from "../envelope/envelope.ts";
import { batchEnd, callBack } from "./call-back.ts";

/**
 * Takes a job out of its batch that had ended before it was enqueued with it. No node settles it
 * again, so it would keep the batch open for ever.
 *
 * @returns whether it had ended
 */
export async function leaveIfEnded(broker: Broker, batch: string, job: JobRef): Promise<boolean> {
  const last = (await broker.history.read(job)).at(-1);
  const end = last === undefined ? undefined : batchEnd(last.state);
  if (end === undefined) return false;
  await broker.batches.leave(batch, job, end);
  return true;
}

/**
 * Enqueues the callback of a batch of which no job is left, on the runtime's door, as a node does
 * it: on a producers' the id could be anybody's.
 */
export async function callBackIfOver(broker: Broker, batch: string): Promise<void> {
  await callBack(broker, batch, (envelope) => broker.requeue(envelope), true);
}
