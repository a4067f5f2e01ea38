import type { Envelope, JobRef, MadeBatch } from "@millrace/core";

/** A batch that is made once its transaction has committed. */
export interface OutboxBatch {
  readonly id: string;
  readonly jobs: readonly JobRef[];
  /** A client's `handle(id, queue)` waits for it. */
  readonly callback: JobRef;
}

/** All of its jobs are in one row until the batch is known. */
export const MOST_JOBS = 10_000;

export function batchRefs({ id, members, callback }: MadeBatch): OutboxBatch {
  const ref = (job: Envelope): JobRef => ({ id: job.id, queue: job.queue });
  return { id, jobs: members.map(ref), callback: ref(callback) };
}
