import { type Envelope, UNSETTLED } from "../envelope/envelope.ts";
import type { QueueMessage } from "../envelope/message.ts";
import type { ReadResult } from "../envelope/read-envelope.ts";

/**
 * The envelope under which an unreadable message is settled: its id, its name and what others know
 * it by, as far as they could be read, and nothing else.
 */
export function envelopeOfUnreadable(
  message: QueueMessage,
  read: Extract<ReadResult, { ok: false }>,
): Envelope {
  return {
    ...UNSETTLED,
    id: read.id,
    name: read.name ?? "",
    queue: message.queue,
    payload: null,
    createdAt: message.storedAt,
    headers: {},
    ...read.ties,
  };
}
