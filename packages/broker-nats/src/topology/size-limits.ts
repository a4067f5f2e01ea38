import { MillraceError } from "@millrace/core";

/** A dead letter is its job's message with more headers, and must fit where its job did. */
const DEAD_LETTER_ROOM = 8 * 1024;
/** A requeued job carries counters and errors that the first publication did not. */
const REQUEUE_ROOM = 1024;
const SMALLEST_PAYLOAD = 64 * 1024;

/** Bytes, headers included. */
export interface SizeLimits {
  /** What the server takes at all. */
  readonly server: number;
  /** What a queue's stream takes. */
  readonly queue: number;
  /** What a producer may send. */
  readonly producer: number;
}

/**
 * @throws MillraceError `invalid-option` where the server's `max_payload` leaves no room for a job
 */
export function sizeLimits(maxPayload: number): SizeLimits {
  if (maxPayload < SMALLEST_PAYLOAD) {
    throw new MillraceError(
      "invalid-option",
      `The server's max_payload is ${maxPayload} bytes; Millrace needs at least ${SMALLEST_PAYLOAD}. Raise it in the server's configuration.`,
    );
  }
  const queue = maxPayload - DEAD_LETTER_ROOM;
  return { server: maxPayload, queue, producer: queue - REQUEUE_ROOM };
}
