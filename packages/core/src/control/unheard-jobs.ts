/** A node says that it is there every ten seconds; until then an answer may just be late. */
const SILENT_MS = 15_000;

/** Whether what a node said last may not be true any more. */
export function isSilent({ silentMs }: { readonly silentMs: number }): boolean {
  return silentMs > SILENT_MS;
}

/** Jobs that count as running, of whose nodes nothing has been heard since. */
export interface UnheardJobs {
  /** Of nodes that are taken for dead, or were so long ago that nobody knows them any more. */
  readonly lost?: number;
  /** Of nodes that may just be too busy to say that they are there. */
  readonly unheard?: number;
  /** Since the one of these nodes that was heard of last; absent where none is known any more. */
  readonly silentMs?: number;
}

interface WorkedQueue {
  readonly queue: string;
  readonly running: number;
  readonly activeMs?: number;
}

interface ServingNode {
  readonly state: string;
  readonly silentMs: number;
  readonly queues: readonly { readonly queue: string }[];
}

/**
 * Jobs that were in the hands of nodes that are gone, or that don't answer. The server counts them
 * as delivered until another node pulls from the queue, and does not say which leases have run out;
 * but where no node that is heard of serves the queue, nobody can say that any of its jobs runs.
 * Where one does, they come back at once.
 *
 * Where jobs were handed out or settled a moment ago somebody is at work who has not said so: a
 * purge, or a node that has only just come.
 */
export function unheardIn(
  { queue, running, activeMs = Infinity }: WorkedQueue,
  fleet: readonly ServingNode[],
): UnheardJobs {
  const holders = fleet.filter((node) => node.queues.some((one) => one.queue === queue));
  const isUnheard = (node: ServingNode): boolean => node.state === "lost" || isSilent(node);
  if (running === 0 || !holders.every(isUnheard)) return {};
  if (!isSilent({ silentMs: activeMs })) return {};
  // The report of a node that died is forgotten some time later. Its jobs are not.
  if (holders.length === 0) return { lost: running };
  const silentMs = Math.min(...holders.map((node) => node.silentMs));
  const areLost = holders.every(({ state }) => state === "lost");
  return areLost ? { lost: running, silentMs } : { unheard: running, silentMs };
}
