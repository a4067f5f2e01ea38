import type { Stoppable } from "@millrace/core";
import type { StoredJob } from "../rows/stored-job.ts";
import type { AdoptedTable } from "../schema/adopt-table.ts";

/** A committed row that is not published yet. */
export interface OutboxRow {
  readonly seq: number;
  /** `RowKind`; null for a job. */
  readonly kind: string | null;
  readonly id: string;
  readonly lane: string | null;
  /** Where a message goes; null for everything else. */
  readonly subject: string | null;
  /** Empty where `unreadBytes` is there. */
  readonly body: Uint8Array;
  /** The size of a body that is larger than a relay can read. Absent of all others. */
  readonly unreadBytes?: number;
  /** JSON, as whoever wrote the row left it. */
  readonly headers: string;
  /** JSON; null where the job has no unique key. */
  readonly unique: string | null;
  /** Epoch milliseconds, with whatever part of one the database has. */
  readonly createdAt: number;
}

/** Rows of one queue that are being published, by whichever relay is there to do it. */
export interface Claim {
  /** Of these rows alone: whoever has published them says so under this name. */
  readonly id: string;
  /** In the order in which they were written. */
  readonly rows: readonly OutboxRow[];
  /** How long ago they were claimed, by the database's clock; 0 where that was set back since. */
  readonly ageMs: number;
  /** Whether this call has claimed them; otherwise they were claimed before, by whomever. */
  readonly isNew: boolean;
}

/** A row that can never be published. */
export interface SetAside {
  readonly seq: number;
  /** The error's code. */
  readonly reason: string;
  readonly detail: string;
}

/** What is in the outbox of one queue. */
export interface OutboxStatus {
  readonly queue: string;
  /** Rows that are to be published. */
  readonly waiting: number;
  /** Age of the oldest of them; 0 where there is none. */
  readonly oldestAgeMs: number;
  /** Rows that were set aside. */
  readonly setAside: number;
  /** Why nothing could be published at the last try. */
  readonly trouble?: { readonly message: string; readonly forMs: number };
}

/** A row that was set aside, for people. */
export interface SetAsideRow {
  readonly seq: number;
  readonly id: string;
  readonly queue: string;
  readonly reason: string;
  readonly detail: string;
  /** How long ago. */
  readonly ageMs: number;
  /** Of the job or message, where who wrote the row was traced. */
  readonly traceId?: string;
}

/** That a job's effects are committed. */
export interface DoneRecord {
  readonly queue: string;
  readonly id: string;
  /** When the job was enqueued, epoch milliseconds: an id may be used again. */
  readonly enqueuedAt: number;
  /** How long ago its effects were committed, by the database's clock. */
  readonly ageMs: number;
  /** For how long nothing is left of the job that could run. Absent while that is not known. */
  readonly goneForMs?: number;
  /** Its place among all, for the next page. */
  readonly place: string;
}

/** Which records of committed effects to read: the older ones, a page at a time. */
export interface DoneQuery {
  /** By the database's clock, milliseconds. */
  readonly olderThanMs: number;
  /** The last of the page before. */
  readonly after: DoneRecord | undefined;
  readonly limit: number;
}

/** Which batches to read: the older ones, a page at a time. */
export interface BatchQuery {
  /** By the database's clock, milliseconds. */
  readonly olderThanMs: number;
  /** The last of the page before. */
  readonly after: string | undefined;
  readonly limit: number;
}

/** How much one claim takes. */
export interface ClaimLimits {
  readonly rows: number;
  /** Bodies together; the first row counts whatever its size. */
  readonly bytes: number;
}

/**
 * The tables of an outbox, as the relay uses them. Any number of relays share them: a queue has one
 * open claim at a time, which any of them may publish and one of them finishes.
 *
 * Every call throws MillraceError `outbox-failed` where the database can't be reached or refuses.
 */
export interface OutboxStore {
  /** Makes the tables. Idempotent. */
  migrate(): Promise<void>;
  /** Queues with rows to publish. */
  queues(): Promise<readonly string[]>;
  /** The name of this database's mark in a queue. It never changes. */
  mark(queue: string): Promise<string>;
  /**
   * The queue's open claim, or a new one of its oldest rows; undefined where there is no row.
   *
   * @param queue whose mark was asked for before
   */
  claim(queue: string, limits: ClaimLimits): Promise<Claim | undefined>;
  /**
   * Sets rows of a claim aside and takes them out of it, unless another relay has finished it. Done
   * before the others are published: whoever goes on with the claim then knows which of its rows
   * were not.
   */
  setAside(queue: string, claim: Claim, rows: readonly SetAside[]): Promise<void>;
  /**
   * Puts jobs into the place of a row of a claim, unless another relay has. Where the row is a
   * batch, notes its id for `batches`.
   *
   * @param jobs of any queues
   * @returns whether it was this call
   */
  replace(queue: string, claim: Claim, seq: number, jobs: readonly StoredJob[]): Promise<boolean>;
  /** Takes away what was published and sets aside the rest, unless another relay did. */
  finish(queue: string, claim: Claim, setAside: readonly SetAside[]): Promise<void>;
  /** Notes why the queue's rows wait, or that they don't any more. */
  note(queue: string, trouble: string | undefined): Promise<void>;
  status(): Promise<readonly OutboxStatus[]>;
  /** The oldest first. */
  listSetAside(limit: number): Promise<readonly SetAsideRow[]>;
  /**
   * Lets rows that were set aside be published, and takes them out of any open claim that names
   * them.
   *
   * @param queue default: every queue's
   * @returns how many
   */
  retry(queue?: string): Promise<number>;
  /**
   * Jobs whose effects were committed, the oldest first. Absent where the database keeps none, as
   * are `noteGone` and `forgetDone`.
   */
  done?(query: DoneQuery): Promise<readonly DoneRecord[]>;
  /** Notes since when nothing is left of the jobs, unless that is noted; or that something is. */
  noteGone?(records: readonly DoneRecord[], isGone: boolean): Promise<void>;
  forgetDone?(records: readonly DoneRecord[]): Promise<void>;
  /** Ids of batches whose rows were replaced, in their order. */
  batches(query: BatchQuery): Promise<readonly string[]>;
  forgetBatches(ids: readonly string[]): Promise<void>;
  /** See `adoptTableSql`. Absent where the database has no such triggers. */
  adopt?(table: AdoptedTable): Promise<void>;
  /** Tells writers whether to wake this relay. */
  setIdle(idle: boolean): Promise<void>;
  /**
   * Calls back when rows were committed while relays were idle. Absent where the database has no
   * such thing: the relay then looks by itself.
   */
  listen?(onRows: () => void): Promise<Stoppable>;
  close(): Promise<void>;
}
