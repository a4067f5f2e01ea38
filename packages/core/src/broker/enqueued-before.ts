import type { WaitingJob } from "./broker.ts";

/** Whether a job that waits for its time or at a gate was enqueued before then. */
export function wasEnqueuedBefore(
  { envelope, storedAt }: Pick<WaitingJob, "envelope" | "storedAt">,
  enqueuedBefore = Number.POSITIVE_INFINITY,
): boolean {
  return (envelope.firstStoredAt ?? storedAt) < enqueuedBefore;
}
