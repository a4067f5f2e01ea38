import { Registry } from "../registry/registry.ts";
import { stopTimeMs } from "./node-machine.ts";
import { type NodeOptions, nodeSettings } from "./node-options.ts";

/** What is known of a node before it has a broker. */
export interface NodePlan {
  readonly name: string;
  /** Queues that it will serve. */
  readonly queues: readonly { readonly queue: string; readonly slots: number }[];
  /** From the first signal to the end, at most. */
  readonly stopMs: number;
}

/**
 * Checks a node's options and its jobs before anything is opened: what is wrong with them no server
 * mends.
 *
 * @throws MillraceError as `createNode`
 */
export function planNode(options: Omit<NodeOptions, "broker">): NodePlan {
  const { name, graceMs, jobs, machines, schedules, queues, slots } = nodeSettings(options);
  return {
    name,
    stopMs: stopTimeMs(graceMs),
    queues: servedQueues(new Registry(jobs, machines, schedules), queues).map((queue) => ({
      queue,
      slots: queues.get(queue)?.slots ?? slots,
    })),
  };
}

/** The queues of the jobs, then those that are named only. */
export function servedQueues(
  registry: Pick<Registry, "queues">,
  named: ReadonlyMap<string, unknown>,
): readonly string[] {
  return [...new Set([...registry.queues, ...named.keys()])];
}
