import type { BatchCounts, Envelope, JobRef } from "../../envelope/envelope.ts";
import type { FinalState } from "../../machine/execution-machine.ts";
import type { Lease } from "../work.ts";

/** How a job of a batch ended; `refused`: it could not be enqueued at all. */
export type BatchEnd =
  Extract<FinalState, "succeeded" | "dead" | "expired" | "cancelled"> | "refused";

/** What is known of a batch. Times are epoch milliseconds. */
export interface Batch {
  readonly id: string;
  readonly createdAt: number;
  /** Enqueued when all have ended. Its payload is set then. */
  readonly callback: Envelope;
  /** How its jobs ended, once that is decided: it is over then, and no job joins it any more. */
  readonly over?: BatchSummary | undefined;
}

/** How the jobs of a batch ended. The counts are of all of them. */
export interface BatchSummary extends BatchCounts, Readonly<Record<BatchEnd, number>> {
  /** The jobs that did not succeed, up to 1,000. */
  readonly failed: readonly EndedMember[];
}

/** A batch as it is stored. */
export interface StoredBatch extends Batch {
  /** Another one after each write. */
  readonly revision: number;
}

/** A job that has ended. */
export interface EndedMember {
  readonly id: string;
  readonly end: BatchEnd;
}

/**
 * Which jobs of a batch have not ended. A set of jobs by queue and id, never a counter: whatever is
 * repeated, by a crash or a redelivery, is the same again. Every call is confirmed before it
 * resolves.
 */
export interface BatchStore {
  /** Creates the batch. One of this id that is there stays as it is. Idempotent. */
  open(batch: Batch): Promise<void>;
  /**
   * Writes the batch, if it still is as it was read.
   *
   * @returns whether it was; false also where the answer to a write that was carried out got lost
   * @throws MillraceError `payload-too-large`
   */
  replace(batch: Batch, revision: number): Promise<boolean>;
  /**
   * These jobs belong to it, and no others. A job that has ended stays ended. A job that was
   * refused may still come.
   */
  join(batch: string, members: readonly JobRef[]): Promise<void>;
  /**
   * The job has ended. Anybody can name a batch in a job: one that did not join, or a batch that is
   * not known, changes nothing and writes nothing.
   *
   * @param options.lease of the delivery that is settled by it: once it is lost, nothing is sent
   *   any more
   * @returns whether others have not; undefined where it did not belong to the batch, which is then
   *   none of its business
   * @throws MillraceError `lease-lost`
   */
  leave(
    batch: string,
    member: JobRef,
    end: BatchEnd,
    options?: { readonly lease?: Lease },
  ): Promise<boolean | undefined>;
  /**
   * A batch that a job has joined, whether or not it has left: for one whose message does not say
   * it.
   *
   * @returns undefined where there is none
   */
  batchOf(member: JobRef): Promise<string | undefined>;
  /** @returns undefined where there is no such batch, or it was removed */
  find(batch: string): Promise<StoredBatch | undefined>;
  /**
   * The jobs that have ended, each once, in no promised order. The list is complete even if some
   * leave again meanwhile. A job that was refused and has joined again is still among them until it
   * ends.
   *
   * @param options.most once more are known, no more are read: there may be others then
   */
  ended(batch: string, options?: { readonly most?: number }): Promise<readonly EndedMember[]>;
  /** How many have not. */
  left(batch: string): Promise<number>;
  /**
   * Forgets the batch and its jobs. Idempotent.
   *
   * @param revision only where it still is as it was read: somebody may have joined it since.
   *   Default: in any case
   */
  remove(batch: string, revision?: number): Promise<void>;
  /**
   * Erases what is left of a batch that is no more, because its removal was broken off. Changes
   * nothing of a batch of that id that is there, or is made meanwhile. Idempotent.
   */
  removeRest(batch: string): Promise<void>;
}
