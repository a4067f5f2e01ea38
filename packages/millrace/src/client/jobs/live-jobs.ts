import {
  type BlockedJob,
  type Broker,
  defined,
  type DelayedJob,
  type Envelope,
  type Lane,
  type QueueSnapshot,
  tracePart,
} from "@millrace/core";
import { askNodes, type LookTold } from "./searching/ask-nodes.ts";
import { jobKey } from "./job-key.ts";
import { PAGE_BYTES, waitingPages } from "./waiting-pages.ts";

/** A job that has not ended, as far as it is known where it is. Times are epoch milliseconds. */
export interface LiveJob {
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  readonly state: LiveState;
  /** Attempts that ended in an outcome. */
  readonly attempts: number;
  readonly lane?: Lane;
  /** Since when it lies where it lies. */
  readonly storedAt?: number;
  /** The gate at which it is blocked. */
  readonly gate?: string;
  /** When it is due. */
  readonly notBefore?: number;
  /** Who runs it. Of a node that does not answer it is known where only one can have the job. */
  readonly node?: string;
  readonly startedAt?: number;
  /**
   * Of a job that was handed to a node which does not answer: how long ago it was heard of last.
   * The job runs there, or comes back when its lease is over.
   */
  readonly silentMs?: number;
  /** When it was enqueued, by its envelope; of a delayed job known only where that was read. */
  readonly createdAt?: number;
  /** The trace of its attempt under way, else the one in which it was enqueued. */
  readonly traceId?: string;
}

export const LIVE_STATES = ["queued", "delayed", "blocked", "running"] as const;

/** The states of a job that has not ended. */
export type LiveState = (typeof LIVE_STATES)[number];

export interface LiveQuery extends LookTold {
  readonly queue?: string;
  readonly limit: number;
}

/**
 * The jobs in one of the states of those that have not ended: queued in the order of arrival,
 * delayed the soonest first among those that have waited longest, blocked and running the longest
 * so first. A look at things in motion: a job may have moved on.
 *
 * @throws MillraceError `queue-not-found`
 */
export function liveJobs(
  broker: Broker,
  state: LiveState,
  query: LiveQuery,
): Promise<readonly LiveJob[]> {
  switch (state) {
    case "queued":
      return queuedJobs(broker, query);
    case "delayed":
      return delayedJobs(broker, query);
    case "blocked":
      return blockedJobs(broker, query);
    case "running":
      return runningJobs(broker, query);
  }
}

/** A running job's message stays in its queue, so what nodes say they run is taken out. */
async function queuedJobs(
  broker: Broker,
  { queue, limit }: LiveQuery,
): Promise<readonly LiveJob[]> {
  const { runs, queues } = await whatRuns(broker, { queue, limit });
  const jobs: LiveJob[] = [];
  for (const { queue: name } of queues) {
    // What runs is asked for as well, because it lies in front.
    for await (const page of waitingPages(broker, name, limit - jobs.length + runs.size))
      for (const { envelope, storedAt } of page) {
        if (runs.has(jobKey(envelope))) continue;
        jobs.push(queuedJob(envelope, storedAt));
        if (jobs.length === limit) return jobs;
      }
  }
  return jobs;
}

/** What lies in its queue because it runs, by `jobKey`: another of its id may wait there. */
export async function whatRuns(
  broker: Broker,
  asked: Parameters<typeof askNodes>[1],
): Promise<{ readonly runs: ReadonlySet<string>; readonly queues: readonly QueueSnapshot[] }> {
  const { running, unanswered, queues } = await askNodes(broker, asked);
  const all = [...running, ...unanswered.map(({ job }) => job.envelope)];
  return { runs: new Set(all.map(jobKey)), queues };
}

export function queuedJob(envelope: Envelope, storedAt: number): LiveJob {
  const { id, queue, name, attempts, lane, notBefore, createdAt, headers } = envelope;
  return {
    ...{ id, queue, name, state: "queued", attempts, storedAt, createdAt },
    ...(lane === undefined ? {} : { lane }),
    ...(notBefore === undefined ? {} : { notBefore }),
    ...tracePart(headers),
  };
}

async function delayedJobs(
  broker: Broker,
  { queue, limit }: LiveQuery,
): Promise<readonly LiveJob[]> {
  const jobs: DelayedJob[] = [];
  // One that is moved meanwhile would be there twice.
  const until = await broker.delayed.newest();
  for (let after = 0; after < until && jobs.length < limit;) {
    const where = { limit: limit - jobs.length, after, until, bytes: PAGE_BYTES };
    const page = await broker.delayed.list({ ...where, ...defined({ queue }) });
    if (page.length === 0) break;
    jobs.push(...page);
    after = Math.max(...page.map(({ position }) => position));
  }
  return jobs.toSorted((a, b) => a.notBefore - b.notBefore).map(delayedJob);
}

export function delayedJob(job: DelayedJob): LiveJob {
  const { id, queue, name, lane, notBefore, attempts, storedAt, traceId, envelope } = job;
  return {
    ...{ id, queue, name, state: "delayed", attempts, storedAt, notBefore },
    ...(lane === undefined ? {} : { lane }),
    ...(traceId === undefined ? {} : { traceId }),
    ...(envelope === undefined ? {} : { createdAt: envelope.createdAt }),
  };
}

async function blockedJobs(
  broker: Broker,
  { queue, limit }: LiveQuery,
): Promise<readonly LiveJob[]> {
  const jobs: LiveJob[] = [];
  for (let after = 0; jobs.length < limit;) {
    const where = { limit: limit - jobs.length, after, bytes: PAGE_BYTES };
    const page = await broker.blocked.list({ ...where, ...defined({ queue }) });
    const last = page.at(-1);
    if (last === undefined) break;
    jobs.push(...page.map(blockedJob));
    after = last.sequence;
  }
  return jobs;
}

export function blockedJob({ envelope, gate, storedAt }: BlockedJob): LiveJob {
  const { id, queue, name, lane, attempts, createdAt, headers } = envelope;
  return {
    ...{ id, queue, name, state: "blocked", attempts, storedAt, gate, createdAt },
    ...(lane === undefined ? {} : { lane }),
    ...tracePart(headers),
  };
}

async function runningJobs(
  broker: Broker,
  { limit, ...asked }: LiveQuery,
): Promise<readonly LiveJob[]> {
  const { running, unanswered } = await askNodes(broker, { ...asked, limit });
  const answered = running
    .slice(0, limit)
    .map(({ id, queue: of, name, node, attempt, startedAt, createdAt, traceId }) => ({
      ...{ id, queue: of, name, state: "running" as const, node, startedAt },
      createdAt,
      ...(traceId === undefined ? {} : { traceId }),
      // The attempt under way has no outcome yet.
      attempts: attempt - 1,
    }));
  const silent = unanswered.map(({ job: { envelope, storedAt }, node, silentMs }) => ({
    ...{ id: envelope.id, queue: envelope.queue, name: envelope.name, state: "running" as const },
    ...{ attempts: envelope.attempts, storedAt, createdAt: envelope.createdAt },
    ...tracePart(envelope.headers),
    ...(node === undefined ? {} : { node }),
    ...(silentMs === undefined ? {} : { silentMs }),
  }));
  return [...silent, ...answered].slice(0, limit);
}
