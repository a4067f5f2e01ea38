import type { Cancellation } from "../../control/cancellation.ts";
import type { Envelope, JobRef, Lane } from "../../envelope/envelope.ts";

/** A job that waits for its time. */
export interface DelayedJob {
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  readonly lane?: Lane;
  /** When it goes to its queue, epoch milliseconds. */
  readonly notBefore: number;
  readonly generation: number;
  /** Attempts that ended in an outcome: more than 0 for a retry that waits for its backoff. */
  readonly attempts: number;
  /**
   * It waits for the start that its producer gave it. Else it was on its way already: a retry, a
   * snooze, a place that a rate keeps.
   */
  readonly byProducer: boolean;
  /** Since when it waits here, epoch milliseconds. A job that was moved waits anew. */
  readonly storedAt: number;
  /**
   * Its place in the store, by which a list goes on. It only grows: a job that is moved gets a new
   * one.
   */
  readonly position: number;
  /** The trace that its headers name. */
  readonly traceId?: string;
  /** All of it, where that was asked for and can be read. */
  readonly envelope?: Envelope;
}

export interface DelayedQuery {
  readonly queue?: string;
  /** Default 100. */
  readonly limit?: number;
  /** Only jobs after this position: the greatest of the page before. */
  readonly after?: number;
  /** Only jobs up to this position. What `newest` said is all there were. */
  readonly until?: number;
  /** The page ends once its jobs hold so many bytes; it has one job at least. Default: never. */
  readonly bytes?: number;
  /** Each with its envelope, for who looks into payloads. */
  readonly envelopes?: true;
}

/**
 * In its last two seconds a job is not moved any more: it may be on its way to its queue, and can't
 * be called back.
 */
export const ON_ITS_WAY_MS = 2_000;

export interface NewestOptions {
  /**
   * Nobody looks again: what was confirmed right before a cluster chose another leader must not
   * lie behind what is said. Where that takes a write, it is made. Default false.
   */
  readonly once?: boolean;
}

/** What a move is for, and of which job only. */
export interface MeantMove {
  /** It is brought forward to be cancelled. Its time of creation, where it has one, must fit. */
  readonly cancellation?: Cancellation | undefined;
  /** Only of the job that was created then, epoch milliseconds: another may have its id. */
  readonly createdAt?: number;
  /** Only of a job that waits for this time, as `list` says it. */
  readonly from?: number;
}

/**
 * The jobs that wait for their time. A producer's delayed job comes here when a node first pulls it
 * (docs/decisions/delays.md): until then it waits in its queue, where `Broker.listWaiting` and
 * `findWaiting` show it, and can't be moved.
 */
export interface DelayedStore {
  /**
   * A page of those that have waited longest, the soonest due first. Pages follow the order in
   * which the jobs began to wait, which is the order of their due times only within a page: what is
   * due next of all is known once every page was read.
   *
   * @example
   * for (let after = 0; ;) {
   *   const page = await broker.delayed.list({ queue: "mail", limit: 500, after });
   *   if (page.length === 0) break;
   *   after = Math.max(...page.map(({ position }) => position));
   * }
   */
  list(query?: DelayedQuery): Promise<readonly DelayedJob[]>;
  /** How many wait; of one queue, or of all. */
  count(queue?: string): Promise<number>;
  /**
   * The position behind which what comes, or is moved, from now on lies: that of the newest job
   * that ever waited here, where one did.
   */
  newest(options?: NewestOptions): Promise<number>;
  /**
   * All that wait under an id, in the order in which they were stored: an id may be used again
   * while its first job waits.
   */
  of(job: JobRef): Promise<readonly Envelope[]>;
  /**
   * Gives a job another time, or sends it to its queue now. It stays the same job: no attempt, no
   * new generation. If several wait under the id and are meant, it is the newest. Needs a mover
   * (`Broker.moveDueJobs`) that brings it to its queue, as every delayed job does.
   *
   * A job that is brought forward to be cancelled says so in its own message: a node that has not
   * heard of the cancellation would run it, long before its time.
   *
   * @param notBefore epoch milliseconds; a time that has passed is `"now"`
   * @returns false where no such job waits here, or another than the one that is meant, or where it
   *   is due within two seconds: it is on its way then, and can't be called back
   * @throws MillraceError `publish-timeout` where it may or may not have been moved;
   *   `invalid-option`; it is never lost and never there twice
   */
  move(id: string, queue: string, notBefore: number | "now", meant?: MeantMove): Promise<boolean>;
}
