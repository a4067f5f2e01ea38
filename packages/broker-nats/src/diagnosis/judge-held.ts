import { formatMs, formatSeconds, type QueueSnapshot, unheardIn } from "@millrace/core";
import { fail, type Finding, warn } from "./finding.ts";
import { type NodeSeen, servedBy, SILENT_MS } from "./node-seen.ts";

/** How long a job stays with a node that is gone: of each queue the longest lease of its lanes. */
export type Leases = ReadonlyMap<string, number>;

/**
 * Jobs that were handed to nodes of which nothing is heard, where no other node serves their queue:
 * they count as running, and nobody runs them. Pure.
 */
export function judgeHeld(
  nodes: readonly NodeSeen[],
  backlogs: readonly QueueSnapshot[],
  leases: Leases,
): readonly Finding[] {
  return backlogs.flatMap((backlog) => {
    const { queue } = backlog;
    const holders = nodes.filter((node) => servedBy(node).includes(queue));
    const { lost, unheard } = unheardIn(
      backlog,
      holders.map(({ silentMs }) => ({
        state: silentMs > SILENT_MS ? "lost" : "running",
        silentMs,
        queues: [{ queue }],
      })),
    );
    const count = lost ?? unheard;
    if (count === undefined) return [];
    // Nodes that may not say that they are there are known to nobody either.
    const level = lost === undefined || holders.length === 0 ? warn : fail;
    const what = `${count} ${count === 1 ? "job was" : "jobs were"} handed to`;
    return [
      level(
        `backlog ${queue}`,
        holders.length === 0
          ? `${what} nodes that nobody knows any more, and no node says that it serves the queue`
          : `${what} ${holders.map(silence).join(", ")}, and no other node says that it serves the queue`,
        adviceOf(queue, holders, leases.get(queue)),
      ),
    ];
  });
}

/**
 * When jobs of a node that is gone are handed out again, at the latest: it may have extended their
 * leases until just before it was to be heard of again.
 */
export function backBy(node: NodeSeen, leaseMs: number | undefined): string | undefined {
  if (leaseMs === undefined) return undefined;
  const at = node.seenAt + SILENT_MS + leaseMs;
  return at < node.seenAt + node.silentMs
    ? undefined
    : `${new Date(at).toISOString().slice(0, 19)}Z (its lease is ${formatMs(leaseMs)})`;
}

function silence({ name, silentMs }: NodeSeen): string {
  return `${name}, which has not been heard of for ${formatSeconds(silentMs)}`;
}

function adviceOf(
  queue: string,
  holders: readonly NodeSeen[],
  leaseMs: number | undefined,
): string {
  const latest = holders.toSorted((a, b) => b.seenAt - a.seenAt)[0];
  const by = latest === undefined ? undefined : backBy(latest, leaseMs);
  const start = `Start a node with the jobs of ${queue}`;
  return by === undefined
    ? `${start}: they are handed to it.`
    : `${start}. Where ${latest?.name} is gone, they are handed out again by ${by}.`;
}
