import type { BlockedJob, Broker } from "@millrace/core";
import { jobKey, type OneJob } from "../jobs/job-key.ts";
import { PAGE_BYTES } from "../jobs/waiting-pages.ts";

const PAGE = 1_000;

/**
 * Those of the jobs that are blocked at gates, by `jobKey`: what is blocked of their queues is read
 * once for all of them, up to where it ends now.
 */
export async function blockedOf(
  broker: Broker,
  jobs: readonly OneJob[],
): Promise<ReadonlyMap<string, BlockedJob>> {
  const found = new Map<string, BlockedJob>();
  if (jobs.length === 0) return found;
  const until = await broker.blocked.newest({ once: true });
  for (const queue of new Set(jobs.map((job) => job.queue))) {
    const wanted = new Set(jobs.filter((job) => job.queue === queue).map(jobKey));
    for (let after = 0; after < until && wanted.size > 0;) {
      const where = { queue, limit: PAGE, bytes: PAGE_BYTES, after, until };
      const page = await broker.blocked.list(where);
      for (const job of page)
        if (wanted.delete(jobKey(job.envelope))) found.set(jobKey(job.envelope), job);
      after = page.at(-1)?.sequence ?? until;
    }
  }
  return found;
}
