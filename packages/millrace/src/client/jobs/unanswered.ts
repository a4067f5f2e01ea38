import { type Broker, MillraceError, type RunningJob, type WaitingJob } from "@millrace/core";
import { nodesOf } from "../nodes.ts";

/** A job that was handed to a node which does not say that it runs it. */
export interface UnansweredJob {
  readonly job: WaitingJob;
  /** Where only one node can have it. */
  readonly node?: string;
  /** How long nothing was heard of whoever has it. */
  readonly silentMs?: number;
}

/** A node says that it is there every ten seconds; until then an answer may just be late. */
const SILENT_MS = 15_000;

/**
 * The jobs of a queue that the server handed to nodes which do not answer: their event loop is
 * blocked, they are cut off, frozen or dead. The jobs run, or come back when their leases are over.
 * Empty where every node that serves the queue is heard of: what they do not name has just begun,
 * or just ended.
 *
 * @param limit messages of the queue that are looked at, from the front
 * @param running what nodes say
 */
export async function unansweredJobs(
  broker: Broker,
  queue: string,
  { limit, running }: { readonly limit: number; readonly running: readonly RunningJob[] },
): Promise<readonly UnansweredJob[]> {
  const serving = await servingNodes(broker, queue);
  if (serving === undefined) return [];
  const silent = serving.filter(({ silentMs }) => silentMs > SILENT_MS);
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
async function servingNodes(
  broker: Broker,
  queue: string,
): Promise<readonly { readonly name: string; readonly silentMs: number }[] | undefined> {
  try {
    const nodes = await nodesOf(broker).list();
    return nodes.filter(({ queues }) => queues.some((one) => one.queue === queue));
  } catch (error) {
    // A producer may list jobs, and not read what nodes say.
    if (MillraceError.is(error)) return undefined;
    throw error;
  }
}
