import type { FindOptions, WaitingJob } from "./broker.ts";

/** Whether a job of the id that was found waiting is one that is looked for. */
export function isLookedFor(
  job: WaitingJob,
  { storedBefore = Infinity, enqueuedBefore, only, where }: FindOptions,
): boolean {
  if (only !== undefined && job.state !== only) return false;
  const isOldEnough =
    job.state === "queued" ? job.storedAt < storedBefore : wasEnqueuedBefore(job, enqueuedBefore);
  return isOldEnough && where?.(job) !== false;
}

/** Whether a job that waits for its time or at a gate was enqueued before then. */
function wasEnqueuedBefore(
  { envelope, storedAt }: Pick<WaitingJob, "envelope" | "storedAt">,
  enqueuedBefore = Number.POSITIVE_INFINITY,
): boolean {
  return (envelope.firstStoredAt ?? storedAt) < enqueuedBefore;
}
