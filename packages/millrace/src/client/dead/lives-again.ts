import type { Broker, Envelope } from "@millrace/core";

/**
 * Whether the life that a retry would begin has begun. First where it waits or runs, then in the
 * history: what is settled is on record before it leaves its queue.
 */
export async function livesAgain(
  broker: Broker,
  { id, queue, generation }: Envelope,
): Promise<boolean> {
  const waiting = await broker.findWaiting(id, { queue });
  if (waiting !== undefined && waiting.envelope.generation >= generation) return true;
  const records = await broker.history.read({ id, queue });
  return records.some((record) => record.generation >= generation);
}
