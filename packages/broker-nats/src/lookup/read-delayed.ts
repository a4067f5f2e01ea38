import type { DelayedQuery, QueueMessage, ReadResult } from "@millrace/core";
import type { ServerAccess } from "../store/server-access.ts";
import { endsOf, scan } from "../reads/scan.ts";
import { delayedJob } from "../reads/stored-message.ts";

export interface DelayedMessage {
  readonly message: QueueMessage;
  readonly read: ReadResult;
  readonly notBefore: number;
}

/** A page of the delayed stream by position, its jobs sorted by their times. */
export async function readDelayed(
  server: ServerAccess,
  query: DelayedQuery,
): Promise<readonly DelayedMessage[]> {
  const { queue, limit = 100 } = query;
  /** By job, so that one whose schedule fires between the two looks is there once. */
  const found = new Map<string, DelayedMessage>();
  let end = Number.POSITIVE_INFINITY;
  // Held ones first: one that fires meanwhile is met again among those that are due.
  for (const subject of queue === undefined ? [undefined] : server.names.delayedOf(queue)) {
    const { jobs, until } = await readSubject(server, subject, { ...query, limit });
    for (const [key, job] of jobs) found.set(key, job);
    end = Math.min(end, until);
  }
  return [...found.values()]
    .filter(({ message }) => message.sequence <= end)
    .sort((a, b) => a.message.sequence - b.message.sequence)
    .slice(0, limit)
    .sort((a, b) => a.notBefore - b.notBefore);
}

interface SubjectJobs {
  readonly jobs: ReadonlyMap<string, DelayedMessage>;
  /** What lies behind was not read, for its bytes. */
  readonly until: number;
}

async function readSubject(
  server: ServerAccess,
  subject: string | undefined,
  { limit, after = 0, until, bytes = Number.POSITIVE_INFINITY }: DelayedQuery & { limit: number },
): Promise<SubjectJobs> {
  const jobs = new Map<string, DelayedMessage>();
  const all = { jobs, until: Number.POSITIVE_INFINITY };
  const ends = limit < 1 ? undefined : await endsOf(server, server.names.delayedStream);
  if (ends === undefined) return all;
  let held = 0;
  const range = {
    ends,
    from: Math.max(after + 1, ends.first),
    until: until ?? ends.last,
    wanted: limit,
    ...(subject === undefined ? {} : { subject }),
  };
  for await (const messages of scan(server, range)) {
    for (const stored of messages) {
      const job = delayedJob(server, stored);
      if (job === undefined) continue;
      // From the held form of a job to its due form only the first token changes.
      jobs.set(
        stored.subject.slice(stored.subject.indexOf(".", server.names.namespace.length + 1)),
        job,
      );
      held += stored.data.length;
      if (jobs.size >= limit) return all;
      if (held >= bytes) return { jobs, until: stored.sequence };
    }
  }
  return all;
}
