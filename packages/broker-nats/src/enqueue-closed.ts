import { CONTROLS_BUCKET, type Broker, type EnqueueResult, queueClosed } from "@millrace/core";
import type { NatsConnection } from "@nats-io/nats-core";
import { lookUpStreamPatiently } from "./publish/stream-lookup.ts";
import type { Names } from "./topology/subjects.ts";

/**
 * A queue whose intake is closed has no stream for the producers' subject, as one that does not
 * exist. The runtime's subject tells one from the other. Only failures are looked at.
 */
export async function explainClosed(
  enqueued: Promise<readonly EnqueueResult[]>,
  nc: NatsConnection,
  names: Names,
  documents: Broker["documents"],
): Promise<readonly EnqueueResult[]> {
  const results = await enqueued;
  const missing = new Set<string>();
  for (const result of results) if (isMissing(result)) missing.add(result.queue);
  if (missing.size === 0) return results;
  /** With what is known of who closed them. */
  const closed = new Map<string, unknown>();
  for (const queue of missing)
    if ((await lookUpStreamPatiently(nc, names.requeue(queue, undefined))) === "exists")
      closed.set(queue, await controlsOf(queue, documents));
  return results.map((result) =>
    isMissing(result) && closed.has(result.queue)
      ? { ...result, error: queueClosed(result.queue, closed.get(result.queue), result.error) }
      : result,
  );
}

function isMissing(result: EnqueueResult): result is Extract<EnqueueResult, { ok: false }> {
  return !result.ok && result.error.code === "queue-not-found";
}

/** A producer may lack the right to read them, and is told the rest all the same. */
async function controlsOf(queue: string, documents: Broker["documents"]): Promise<unknown> {
  try {
    return (await (await documents(CONTROLS_BUCKET, { look: true })).get(queue))?.value;
  } catch {
    return undefined;
  }
}
