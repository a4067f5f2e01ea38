import type { Envelope } from "../../envelope/envelope.ts";
import type { MillraceError } from "../../errors/millrace-error.ts";
import type { EnqueueResult } from "../enqueue-call.ts";

/** What a queue notes of the last jobs that were stored under one name. */
export interface Mark {
  readonly value: string;
  /** Changes with every write. */
  readonly revision: number;
}

/** The mark that is to be stored with some jobs. */
export interface MarkWrite {
  readonly queue: string;
  /** Whose mark it is: letters, digits, `-` and `_`. Each name has one mark in a queue. */
  readonly name: string;
  readonly value: string;
  /** The revision of the mark as it was read; 0 where there was none. */
  readonly after: number;
  /** Told of the mark as it is stored, before the jobs' results are returned. */
  readonly onStored?: (mark: Mark) => void;
}

/**
 * Jobs and a mark that are stored together or not at all. A retry reads the mark first, and so
 * knows whether the jobs are stored, however long ago that was. A mark is no job: it is never
 * delivered, counted or listed.
 */
export interface MarkStore {
  /** Undefined where nothing was stored under this name yet, or there is no such queue. */
  read(queue: string, name: string): Promise<Mark | undefined>;
  /** Why the job can never be stored as it is; undefined where it can. Asks no server. */
  refusal(job: Envelope): MillraceError | undefined;
  /**
   * Stores the jobs, all of the mark's queue, and the mark. A job that can't be sent has its own
   * error and is left out. Where nothing of the rest could be stored, each has the same error.
   *
   * @throws MillraceError `conflict`: the mark has changed since it was read, and nothing was
   *   stored; `publish-timeout`, `broker-unavailable` and their kin: all is stored, or nothing
   */
  enqueue(jobs: readonly Envelope[], mark: MarkWrite): Promise<readonly EnqueueResult[]>;
}
