import { nearest } from "@millrace/core";
import type { NodeBase } from "./node-base.ts";

/**
 * What is served, or left to others, without having been meant, as it may be: a mistyped queue is
 * made and served like any other, and the jobs of a machine wait where nobody serves them.
 */
export function tellUnserved({ config, registry, queues, log }: NodeBase): void {
  for (const queue of config.queues.keys()) {
    if (registry.queues.includes(queue)) continue;
    const meant = nearest(queue, registry.queues);
    log.warn(
      { queue, ...(meant === undefined ? {} : { meant }) },
      "this queue is served because it was named, and no job of this node is defined on it",
    );
  }
  for (const machine of config.machines)
    for (const { name, queue } of Object.values(machine.jobs))
      if (!queues.includes(queue) || registry.get(name, queue) === undefined)
        log.info(
          { machine: machine.name, job: name, queue },
          "this node hosts a machine and has no handler for a job of it, which waits for another node",
        );
}
