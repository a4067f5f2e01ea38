import type { NodeStatus } from "../../client/nodes.ts";

/**
 * What one node had ended when it was heard of last, and how fast it went since the time before.
 */
interface NodePace {
  readonly seenAt: number;
  readonly ended: ReadonlyMap<string, number>;
  /** Jobs a second; none before the second report. */
  readonly perSecond: ReadonlyMap<string, number>;
}

/** By the node's life. */
export type Paces = ReadonlyMap<string, NodePace>;

/**
 * Takes over what nodes have said since. A node says it every few seconds only, so its pace stays
 * until then. Pure.
 */
export function nextPaces(before: Paces, nodes: readonly NodeStatus[]): Paces {
  const paces = new Map<string, NodePace>();
  for (const { name, startedAt, state, seenAt, queues } of nodes) {
    if (state === "lost") continue;
    const life = `${name} ${startedAt}`;
    const last = before.get(life);
    if (last !== undefined && last.seenAt >= seenAt) {
      paces.set(life, last);
      continue;
    }
    const ended = new Map(queues.map((queue) => [queue.queue, queue.ended]));
    const perSecond = new Map<string, number>();
    if (last !== undefined)
      for (const [queue, count] of ended)
        perSecond.set(
          queue,
          ((count - (last.ended.get(queue) ?? 0)) * 1_000) / (seenAt - last.seenAt),
        );
    paces.set(life, { seenAt, ended, perSecond });
  }
  return paces;
}

/** Jobs a second over all nodes; undefined where no node has said enough yet. Pure. */
export function paceOf(paces: Paces, queue: string): number | undefined {
  const known = [...paces.values()].flatMap(({ perSecond }) => perSecond.get(queue) ?? []);
  return known.length === 0 ? undefined : known.reduce((sum, pace) => sum + pace, 0);
}
