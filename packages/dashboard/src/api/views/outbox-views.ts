// As `views.ts`, of an outbox: imports nothing.

/** One queue of an outbox, or one line of messages. */
export interface OutboxQueueView {
  readonly queue: string;
  readonly waiting: number;
  readonly oldestAgeMs: number;
  readonly setAside: number;
  /** Why nothing could be published at the last try, and for how long now. */
  readonly trouble?: string;
  readonly troubleMs?: number;
}

/** A row that can't be published. */
export interface OutboxRowView {
  readonly seq: number;
  readonly id: string;
  readonly queue: string;
  readonly reason: string;
  readonly detail: string;
  readonly ageMs: number;
}

export interface OutboxView {
  readonly queues: readonly OutboxQueueView[];
  /** The oldest of those that were set aside. */
  readonly rows: readonly OutboxRowView[];
}
