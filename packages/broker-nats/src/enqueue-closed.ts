import { type EnqueueResult, MillraceError } from "@millrace/core";
import type { NatsConnection } from "@nats-io/nats-core";
import { lookUpStream } from "./publish/stream-lookup.ts";
import type { Names } from "./topology/subjects.ts";

/**
 * A queue whose intake is closed has no stream for the producers' subject, as one that does not exist. The runtime's subject
 * tells one from the other. Only failures are looked at.
 */
export async function explainClosed(
  enqueued: Promise<readonly EnqueueResult[]>,
  nc: NatsConnection,
  names: Names,
): Promise<readonly EnqueueResult[]> {
  const results = await enqueued;
  const missing = new Set<string>();
  for (const result of results) if (isMissing(result)) missing.add(result.queue);
  if (missing.size === 0) return results;
  const closed = new Set<string>();
  for (const queue of missing)
    if ((await lookUpStream(nc, names.requeue(queue, undefined))) === "exists") closed.add(queue);
  return results.map((result) =>
    isMissing(result) && closed.has(result.queue)
      ? { ...result, error: queueClosed(result.queue, result.error) }
      : result,
  );
}

function isMissing(result: EnqueueResult): result is Extract<EnqueueResult, { ok: false }> {
  return !result.ok && result.error.code === "queue-not-found";
}

function queueClosed(queue: string, cause: unknown): MillraceError {
  return new MillraceError(
    "queue-closed",
    `The queue ${queue} was closed and takes no new jobs. Enqueue later, or open it with \`queues.resume\`.`,
    { cause },
  );
}
