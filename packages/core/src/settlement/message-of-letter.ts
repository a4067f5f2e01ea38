import type { StoredDeadLetter } from "../broker/stores/dead-letter-store.ts";
import type { QueueMessage } from "../envelope/message.ts";

/**
 * The message that a letter was made of, as far as the letter says. It was stored when the job came
 * in, not when it died: a job without `createdAt` has that time for it, and by it its steps and
 * effects are known. What a later generation's bytes lack a runtime has written.
 */
export function messageOfLetter({
  queue,
  door = "runtime",
  body,
  headers,
  sequence,
  at,
  firstStoredAt: storedAt = at,
}: StoredDeadLetter): QueueMessage {
  return { queue, origin: door, body, headers, sequence, storedAt };
}
