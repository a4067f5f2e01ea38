import type { Broker } from "../broker/broker.ts";
import type { Envelope } from "../envelope/envelope.ts";

/**
 * Whether a job that follows from another is there already, or was: asked before it is enqueued once more, maybe so late that its queue has forgotten
 * the id. What was recorded before it was made is of an earlier job of its id.
 */
export async function isKnownJob(
  broker: Pick<Broker, "history" | "findWaiting">,
  { id, queue, createdAt }: Pick<Envelope, "id" | "queue" | "createdAt">,
): Promise<boolean> {
  // It waits, and then it has a record: looked for in this order, it is not missed in between.
  const waiting = await broker.findWaiting(id, { queue });
  const since = createdAt - CLOCK_SLACK_MS;
  if (waiting !== undefined && waiting.envelope.createdAt >= since) return true;
  const records = await broker.history.read({ id, queue });
  return records.some(({ at }) => at >= since);
}

/** Clocks of nodes may differ by this much. */
const CLOCK_SLACK_MS = 60_000;
