import type { JobRef } from "@millrace/core";

/** A job beside one of this queue: the queue is said where it is another. */
export function shownRef(job: JobRef, queue: string): string {
  return job.queue === queue ? job.id : `${job.id} (queue ${job.queue})`;
}
