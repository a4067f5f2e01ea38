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
  { queue, limit = 100, after = 0 }: DelayedQuery,
): Promise<readonly DelayedMessage[]> {
  /** By job, so that one whose schedule fires between the two looks is there once. */
  const found = new Map<string, DelayedMessage>();
  // Held ones first: one that fires meanwhile is met again among those that are due.
  for (const subject of queue === undefined ? [undefined] : server.names.delayedOf(queue))
    for (const [key, job] of await readSubject(server, subject, limit, after)) found.set(key, job);
  return [...found.values()]
    .sort((a, b) => a.message.sequence - b.message.sequence)
    .slice(0, limit)
    .sort((a, b) => a.notBefore - b.notBefore);
}

async function readSubject(
  server: ServerAccess,
  subject: string | undefined,
  limit: number,
  after: number,
): Promise<ReadonlyMap<string, DelayedMessage>> {
  const jobs = new Map<string, DelayedMessage>();
  const ends = limit < 1 ? undefined : await endsOf(server, server.names.delayedStream);
  if (ends === undefined) return jobs;
  const range = {
    ends,
    from: Math.max(after + 1, ends.first),
    until: ends.last,
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
      if (jobs.size >= limit) return jobs;
    }
  }
  return jobs;
}
