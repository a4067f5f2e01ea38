import type { Lane } from "./envelope.ts";

/** A message of a queue as a broker read it, before anything is known of its body. */
export interface QueueMessage {
  readonly queue: string;
  readonly lane?: Lane;
  /** Who may have written it: producers publish on one subject, the runtime republishes on another that they can't use. */
  readonly origin: "producer" | "runtime";
  readonly body: Uint8Array;
  /** Keys in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Position in the queue's stream; with the queue it makes an id for a job that has none. */
  readonly sequence: number;
  /** The server's time of storing, epoch milliseconds. */
  readonly storedAt: number;
}
