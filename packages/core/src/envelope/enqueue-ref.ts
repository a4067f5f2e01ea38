import type { JobRef } from "./envelope.ts";

/** What tells one enqueue of an id from another. */
export interface FirstMessage {
  /** When its first message was stored, epoch milliseconds of the broker's clock. */
  readonly firstStoredAt?: number;
  /**
   * Where its idempotency key was not its id, the place of that message; of a job that follows
   * another, when that one succeeded.
   */
  readonly unkeyed?: number;
}

/** Which enqueue of an id, in which life of the job. */
export interface EnqueueRef extends JobRef, FirstMessage {
  readonly createdAt?: number;
  readonly life?: number;
}
