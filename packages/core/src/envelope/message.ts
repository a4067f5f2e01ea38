import type { Lane } from "./envelope.ts";

/**
 * Who may have written a message, by the door it came in on: producers publish on one subject,
 * trusted programs on another, the runtime republishes on a third. The last two are closed to
 * producers.
 */
export type MessageOrigin = "producer" | "program" | "runtime";

/** A message of a queue as a broker read it, before anything is known of its body. */
export interface QueueMessage {
  readonly queue: string;
  readonly lane?: Lane;
  readonly origin: MessageOrigin;
  readonly body: Uint8Array;
  /** Keys in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The id of its job, where it came on the job's own subject. */
  readonly key?: string;
  /** Position in the queue's stream; with the queue it makes an id for a job that has none. */
  readonly sequence: number;
  /** The server's time of storing, epoch milliseconds. */
  readonly storedAt: number;
}
