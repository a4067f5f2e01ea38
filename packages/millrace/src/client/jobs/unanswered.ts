import {
  type Broker,
  isSilent,
  MillraceError,
  type RunningJob,
  type WaitingJob,
} from "@millrace/core";
import { nodesOf, type NodeStatus } from "../nodes.ts";

/** A job that was handed to a node which does not say that it runs it. */
export interface UnansweredJob {
  readonly job: WaitingJob;
  /** Where only one node can have it. */
  readonly node?: string;
  /** How long nothing was heard of whoever has it. */
  readonly silentMs?: number;
}

/**
 * The jobs of a queue that the server handed to nodes which do not answer: their event loop is
 * stalled, they are cut off, frozen or dead. The jobs run, or come back when their leases are over.
 * Empty where every node that serves the queue is heard of: what they do not name has just begun,
 * or just ended.
 *
 * @param limit messages of the queue that are looked at, from the front
 * @param running what nodes say
 * @param nodes those that are known (`knownNodes`)
 */
export async function unansweredJobs(
  broker: Broker,
  queue: string,
  {
    limit,
    running,
    nodes,
  }: {
    readonly limit: number;
    readonly running: readonly RunningJob[];
    readonly nodes: readonly NodeStatus[] | undefined;
  },
): Promise<readonly UnansweredJob[]> {
  if (nodes === undefined) return [];
  const serving = nodes.filter(({ queues }) => queues.some((one) => one.queue === queue));
  const silent = serving.filter(isSilent);
  if (serving.length > 0 && silent.length === 0) return [];
  const known = new Set(running.map(({ queue: of, id }) => `${of}.${id}`));
  const [only, ...others] = silent;
  const whose = only === undefined || others.length > 0 ? {} : { node: only.name };
  const since = only === undefined ? {} : { silentMs: Math.max(...silent.map((n) => n.silentMs)) };
  return (await broker.listWaiting(queue, { limit }))
    .filter(({ isHandedOut, envelope: { id } }) => isHandedOut && !known.has(`${queue}.${id}`))
    .map((job) => ({ job, ...whose, ...since }));
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
