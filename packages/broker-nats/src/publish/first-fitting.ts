import { MillraceError } from "@millrace/core";
import type { EditableMessage } from "./batch.ts";
import type { ConfirmedPublisher } from "./confirmed-publisher.ts";
import type { PubAck } from "./pub-ack.ts";

/**
 * Publishes the first of several messages that its stream takes.
 *
 * @param smaller each is made where the one before it was too large; undefined: there is none
 * @throws MillraceError what the last one met
 */
export async function publishFirstFitting(
  publisher: ConfirmedPublisher,
  message: EditableMessage,
  [next, ...others]: readonly (() => EditableMessage | undefined)[],
): Promise<readonly [EditableMessage, PubAck]> {
  try {
    const { subject, data, headers } = message;
    return [message, await publisher.publish(subject, data, headers)];
  } catch (error) {
    const smaller = MillraceError.is(error, "payload-too-large") ? next?.() : undefined;
    if (smaller === undefined) throw error;
    return publishFirstFitting(publisher, smaller, others);
  }
}
