import { MillraceError } from "@millrace/core";
import type { EditableMessage } from "./batch.ts";
import type { PubAck } from "./pub-ack.ts";

/**
 * Publishes the first of several messages that its stream takes.
 *
 * @param smaller each is made where the one before it was too large; undefined: there is none
 * @throws MillraceError what the last one met
 */
export async function publishFirstFitting(
  publish: (message: EditableMessage) => Promise<PubAck>,
  message: EditableMessage,
  [next, ...others]: readonly (() => EditableMessage | undefined)[],
): Promise<readonly [EditableMessage, PubAck]> {
  try {
    return [message, await publish(message)];
  } catch (error) {
    const smaller = MillraceError.is(error, "payload-too-large") ? next?.() : undefined;
    if (smaller === undefined) throw error;
    return publishFirstFitting(publish, smaller, others);
  }
}
