import type { Envelope } from "@millrace/core";

/** How a job comes to be published by the runtime: `enqueue` where it follows another. */
export type PublishStep = "requeue" | "enqueue";

/**
 * Tells a job from others that have had its id, in ids and subjects of streams that may remember
 * them for longer than its queue does. What follows another job is told by its time of creation,
 * which is that of the other's success on record, however often it is published.
 *
 * @returns undefined where nothing tells: a batch's callback, and what older versions published
 */
export function enqueueMark(envelope: Envelope, step: PublishStep): string | undefined {
  const { firstStoredAt, unkeyed, createdAt } = envelope;
  if (firstStoredAt === undefined)
    return step === "enqueue" ? `${Math.floor(createdAt)}` : undefined;
  const at = `${Math.floor(firstStoredAt)}`;
  return unkeyed === undefined ? at : `${at}-${unkeyed}`;
}
