import { type Broker, endOf, type Envelope, type JobEnd, type QueueMessage } from "@millrace/core";

/**
 * Asks whether the job of a message that may have come before is over. The history last: what leaves one place for another meanwhile has left a record
 * by then.
 */
export async function lookForEnd(
  broker: Broker,
  envelope: Envelope,
  message: QueueMessage,
): Promise<JobEnd | undefined> {
  const { id, queue } = envelope;
  const successors = await broker.successors(envelope, message);
  const records = await broker.history.stored({ id, queue });
  return endOf({ envelope, message, records, successors });
}
