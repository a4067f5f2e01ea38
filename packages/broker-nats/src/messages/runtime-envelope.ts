import { type Envelope, type QueueMessage, readEnvelope } from "@millrace/core";

/**
 * The job of a message that the runtime has published, wherever it lies.
 *
 * @returns undefined where it can't be read
 */
export function runtimeEnvelope(
  from: Pick<QueueMessage, "queue" | "body" | "headers">,
  maxValues?: number,
): Envelope | undefined {
  const read = readEnvelope({ ...from, origin: "runtime", sequence: 0, storedAt: 0 }, maxValues);
  return read.ok ? read.envelope : undefined;
}
