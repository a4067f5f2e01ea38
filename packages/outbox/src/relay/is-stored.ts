import type { Broker, Envelope } from "@millrace/core";

/** Clocks of machines may differ by this much. */
const CLOCK_SLACK_MS = 60_000;

/**
 * Whether this enqueue of the job is in its queue, or was: it waits, runs, or has a record. What
 * was recorded before it was made is of an earlier job of its id.
 */
export async function isStored(
  broker: Pick<Broker, "findWaiting" | "history">,
  { id, queue, createdAt }: Pick<Envelope, "id" | "queue" | "createdAt">,
): Promise<boolean> {
  const since = createdAt - CLOCK_SLACK_MS;
  // It waits, and then it has a record: looked for in this order, it is not missed in between.
  const waiting = await broker.findWaiting(id, { queue });
  if (waiting !== undefined && waiting.envelope.createdAt >= since) return true;
  return (await broker.history.read({ id, queue })).some(({ at }) => at >= since);
}
