import { type Broker, cancellationKey, CANCELLATIONS_BUCKET, cancelReason } from "@millrace/core";

/** Cancels a job that is known to go on, wherever it is. Asking twice is asking once. */
export async function cancelJob(
  broker: Pick<Broker, "blocked" | "delayed" | "documents">,
  job: { readonly id: string; readonly queue: string },
  reason: string,
  now: number,
): Promise<void> {
  const cancellations = await broker.documents(CANCELLATIONS_BUCKET);
  const cancellation = { reason: cancelReason(reason), at: now };
  await cancellations.put(cancellationKey(job), cancellation);
  // A delayed job would be settled no sooner than its time.
  const brought = await broker.delayed.move(job.id, job.queue, "now", { cancellation });
  // Nor one that is blocked at a gate, before it is let in.
  if (!brought) await broker.blocked.releaseJob(job.queue, job.id, { reason });
}
