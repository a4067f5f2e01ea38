import {
  type Broker,
  isSilent,
  MillraceError,
  type RunningJob,
  type WaitingJob,
} from "@millrace/core";
import { nodesOf, type NodeStatus } from "../nodes.ts";
import { jobKey } from "./job-key.ts";
import { waitingPages } from "./waiting-pages.ts";

/** A job that was handed to a node which does not say that it runs it. */
export interface UnansweredJob {
  readonly job: WaitingJob;
  /** Where only one node can have it. */
  readonly node?: string;
  /** How long nothing was heard of whoever has it. */
  readonly silentMs?: number;
}

/** The jobs that were found, and whether others may be behind what was looked at. */
export interface UnansweredJobs {
  readonly jobs: readonly UnansweredJob[];
  readonly isCut: boolean;
}

const NOBODY: ReadonlySet<string> = new Set();
const NONE: UnansweredJobs = { jobs: [], isCut: false };
/** Of a queue: 64 MiB of what jobs carry. */
const MOST_PAGES = 16;

/**
 * The jobs of a queue that the server handed to nodes which do not answer: their event loop is
 * stalled, they are cut off, frozen or dead. The jobs run, or come back when their leases are over.
 * Empty where every node that serves the queue has answered: what they do not name has just begun,
 * or just ended.
 *
 * @param limit messages of the queue that are looked at, from the front
 * @param missing so many are handed out beside those that nodes say
 * @param running what nodes say
 * @param nodes those that are known (`knownNodes`)
 * @param silent those of them that are there, and did not answer
 */
export async function unansweredJobs(
  broker: Broker,
  queue: string,
  {
    limit,
    missing,
    running,
    nodes,
    silent: unheard = NOBODY,
  }: {
    readonly limit: number;
    readonly missing: number;
    readonly running: readonly RunningJob[];
    readonly nodes: readonly NodeStatus[] | undefined;
    readonly silent?: ReadonlySet<string>;
  },
): Promise<UnansweredJobs> {
  if (nodes === undefined) return NONE;
  const serving = nodes.filter((node) => serves(node, queue));
  const silent = serving.filter((node) => isSilent(node) || unheard.has(node.name));
  if (serving.length > 0 && silent.length === 0) return NONE;
  const known = new Set(running.map(jobKey));
  const [only, ...others] = silent;
  const whose = only === undefined || others.length > 0 ? {} : { node: only.name };
  const since = only === undefined ? {} : { silentMs: Math.max(...silent.map((n) => n.silentMs)) };
  const jobs: UnansweredJob[] = [];
  let [looked, pages] = [0, 0];
  for await (const page of waitingPages(broker, queue, limit)) {
    for (const job of page)
      if (job.isHandedOut === true && !known.has(jobKey(job.envelope)))
        jobs.push({ job, ...whose, ...since });
    looked += page.length;
    pages += 1;
    // All that the server counts: the rest of the queue waits.
    if (jobs.length >= missing) return { jobs, isCut: false };
    if (looked >= limit || pages === MOST_PAGES) return { jobs, isCut: true };
  }
  return { jobs, isCut: false };
}

export function serves({ queues }: NodeStatus, queue: string): boolean {
  return queues.some((one) => one.queue === queue);
}

/** @returns undefined where that is not to be known */
export async function knownNodes(broker: Broker): Promise<readonly NodeStatus[] | undefined> {
  try {
    return await nodesOf(broker).list();
  } catch (error) {
    // A producer may list jobs, and not read what nodes say.
    if (MillraceError.is(error)) return undefined;
    throw error;
  }
}
