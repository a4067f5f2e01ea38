import type { Broker } from "../broker/broker.ts";
import type { Envelope } from "../envelope/envelope.ts";

/**
 * Whether a job that follows from another is there already, or was: asked before it is enqueued
 * once more, maybe so late that its queue has forgotten the id. What was recorded before it was
 * made is of an earlier job of its id.
 */
export async function isKnownJob(
  broker: Pick<Broker, "history" | "findWaiting">,
  { id, queue, createdAt, sentFrom }: Pick<Envelope, "id" | "queue" | "createdAt" | "sentFrom">,
): Promise<boolean> {
  // It waits, and then it has a record: looked for in this order, it is not missed in between.
  const waiting = await broker.findWaiting(id, { queue });
  const since = createdAt - CLOCK_SLACK_MS;
  if (
    waiting !== undefined &&
    waiting.envelope.createdAt >= since &&
    waiting.envelope.sentFrom === sentFrom
  )
    return true;
  const records = await broker.history.read({ id, queue });
  return records.some(({ at, generation, door }) => at >= since && mayBeIt(generation, door));
}

/** Clocks of nodes may differ by this much. */
const CLOCK_SLACK_MS = 60_000;

/** A producer of the queue may have used the id before; its jobs come in on another door. */
function mayBeIt(generation: number, door: "runtime" | undefined): boolean {
  return generation > 0 || door === "runtime";
}
