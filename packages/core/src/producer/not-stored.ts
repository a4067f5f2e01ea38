import type { ErrorCode } from "../errors/codes.ts";
import type { MillraceError } from "../errors/millrace-error.ts";

/** Errors that say nothing of the message: another to the queue is refused as well. */
export const OF_THE_QUEUE: ReadonlySet<ErrorCode> = new Set([
  "queue-not-found",
  "queue-closed",
  "queue-full",
  "permission-denied",
  "jetstream-disabled",
]);

/** Errors after which a message certainly is not stored. After any other it may be. */
const NOT_STORED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  ...OF_THE_QUEUE,
  "payload-too-large",
  "unserializable-payload",
  "invalid-header",
  "invalid-name",
  "invalid-message",
]);

/** Whether a job that could not be enqueued is certainly not stored. */
export function isNotStored({ code }: MillraceError): boolean {
  return NOT_STORED.has(code);
}
