import type { NodeStatus } from "../../client/nodes.ts";
import type { QueueStatus } from "../../client/queues/queue-status.ts";

export interface LostJobs {
  /** Jobs that count as running and that nobody runs. */
  readonly lost?: number;
}

/**
 * Jobs that were in the hands of nodes that are gone. The server counts them as delivered until
 * another node pulls from the queue, and does not say which leases have run out; but where no node
 * that is heard of serves the queue, none of its jobs runs. Where one does, they come back at once.
 */
export function lostIn(
  { queue, running }: Pick<QueueStatus, "queue" | "running">,
  fleet: readonly Pick<NodeStatus, "state" | "queues">[],
): LostJobs {
  if (running === 0) return {};
  const holders = fleet.filter((node) => node.queues.some((one) => one.queue === queue));
  // Of a queue that no node has been heard of for long, nothing is known.
  if (holders.length === 0 || holders.some(({ state }) => state !== "lost")) return {};
  return { lost: running };
}
