import type { EnqueueRef } from "../../envelope/enqueue-ref.ts";
import type { JobRef } from "../../envelope/envelope.ts";
import type { HistoryRecord } from "../../settlement/history-record.ts";

export interface HistoryQuery {
  readonly id: string;
  readonly queue?: string;
}

/** The end of the history, as far back as both say. */
export interface TailQuery {
  /** Before the newest record, milliseconds. */
  readonly withinMs: number;
  /** The newest so many at most. */
  readonly limit: number;
}

export interface StoredRecord {
  readonly record: HistoryRecord;
  /** By the clock that messages' `storedAt` is by. */
  readonly storedAt: number;
}

/** A part of the history of all jobs, for who reads on from where it was. */
export interface StretchQuery {
  readonly queue?: string;
  /** Default: both. */
  readonly kind?: "ended" | "requeued";
  /** Only records behind this position. */
  readonly after: number;
  /** Most records of one answer, which holds fewer where they are large. Default 500. */
  readonly limit?: number;
}

/** A record with its place in the history. Positions only grow; there are gaps. */
export interface PlacedRecord extends StoredRecord {
  readonly position: number;
}

export interface Stretch {
  /** Positions of the oldest and the newest record of all: 1 and 0 where there was never one. */
  readonly oldest: number;
  readonly newest: number;
  /** Nothing up to here is left to be read. */
  readonly until: number;
  /** What fits the query up to there, in the order of storing; what was stored twice, twice. */
  readonly records: readonly PlacedRecord[];
}

/** What happened to jobs, bounded by age and count. Written by settlement alone. */
export interface HistoryStore {
  /**
   * A job's records, oldest first: in the order of its messages, which is not that of storing where
   * a dead holder's settlement was made up for later.
   */
  read(query: HistoryQuery): Promise<readonly HistoryRecord[]>;
  /** The same with the time of storing, in its order, and with what was stored twice twice. */
  stored(query: HistoryQuery): Promise<readonly StoredRecord[]>;
  /**
   * The newest end of an id, or its newest requeue, of whichever enqueue. One read, however long
   * the history is.
   */
  last(job: JobRef, kind: "ended" | "requeued"): Promise<StoredRecord | undefined>;
  /** The end of an enqueue that keeps another from being recorded: see `Broker.settle`. */
  endOf(job: EnqueueRef): Promise<StoredRecord | undefined>;
  /** The latest record of each of the most recently settled jobs, newest first. */
  recent(options: {
    readonly queue?: string;
    readonly limit: number;
  }): Promise<readonly HistoryRecord[]>;
  /**
   * Every job's records that were stored within some time of the newest record there is, oldest
   * first. What was last written before a server's crash, as long as nobody has written much since.
   * Jobs' results may be left out.
   */
  tail(query: TailQuery): Promise<readonly StoredRecord[]>;
  /**
   * The next part of what is stored behind a position: by it a reader goes on after a crash.
   */
  stretch(query: StretchQuery): Promise<Stretch>;
  /**
   * Calls for each record of the job from now on, once it is stored; after an outage for earlier
   * ones too. Read first or after: subscribe, then read, then wait.
   */
  follow(
    query: HistoryQuery,
    listener: (record: HistoryRecord) => void,
  ): Promise<{ stop(): Promise<void> }>;
  /**
   * Calls for each record of every job, or of a queue's, from now on: for looking. What is written
   * while the connection is away is not told, and a record that is written twice is told twice.
   */
  watch(
    options: { readonly queue?: string },
    listener: (record: HistoryRecord) => void,
  ): Promise<{ stop(): Promise<void> }>;
}
