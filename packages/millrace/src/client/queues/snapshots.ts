import type { Broker, QueueSnapshot } from "@millrace/core";

/**
 * Of one queue, or of all.
 *
 * @throws MillraceError `queue-not-found` where one is named that is not there
 */
export async function snapshotsOf(
  broker: Broker,
  queue: string | undefined,
): Promise<readonly QueueSnapshot[]> {
  return queue === undefined ? broker.queues.list() : [await broker.queues.snapshot(queue)];
}
