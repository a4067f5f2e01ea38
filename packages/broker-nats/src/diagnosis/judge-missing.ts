import { fail, type Finding } from "./finding.ts";
import { type NodeSeen, servedBy, SILENT_MS } from "./node-seen.ts";

/**
 * Queues that nodes serve and that have no stream: it was removed beneath them, and nothing else
 * says so. A node makes the streams of its queues when it starts, and not again. Pure.
 *
 * @param hasStream whether the server has the queue's stream, also where it has no leader
 */
export function judgeMissing(
  nodes: readonly NodeSeen[],
  hasStream: (queue: string) => boolean,
): readonly Finding[] {
  const there = nodes.filter(({ silentMs }) => silentMs <= SILENT_MS);
  const served = [...new Set(there.flatMap(servedBy))].toSorted();
  return served
    .filter((queue) => !hasStream(queue))
    .map((queue) => {
      const by = there.filter((node) => servedBy(node).includes(queue)).map(({ name }) => name);
      return fail(
        `queue ${queue}`,
        `has no stream, and ${by.toSorted().join(", ")} ${by.length === 1 ? "serves" : "serve"} it: producers are refused`,
        "Its stream was removed, with what lay in it. Restore it from a backup (docs/operations.md), or restart a node that serves it, which makes it anew.",
      );
    });
}
