/** A job whose end somebody waits for, and what tells it from others of its id. */
export interface AwaitedJob {
  readonly id: string;
  readonly queue: string;
  /**
   * Where the job was stored when it was enqueued: what the history holds from before is of an
   * earlier job with this id.
   */
  readonly sequence?: number;
  /** By its envelope: tells it from an earlier job with this id. */
  readonly createdAt?: number;
  /**
   * Of the caller's own, where the queue said that one of its id was there before. That may be a
   * copy of it: a server that was killed forgets the ids of jobs that have ended, and takes them
   * twice.
   */
  readonly ownCreatedAt?: number;
  /**
   * Something of it was stored then, epoch milliseconds of the broker's clock: a job of this id
   * that was first stored later is another.
   */
  readonly onRecordSince?: number;
  /**
   * Of a job that follows another, whose end it is the mark of: two may have been made in the same
   * millisecond. None is ever dropped as a duplicate of another of its id.
   */
  readonly unkeyed?: number;
  /**
   * Of a batch's callback: the batch. Whoever makes the batch again writes another callback, and
   * nobody knows before when the one that is enqueued was made.
   */
  readonly closesBatch?: string;
  /**
   * How long it may take to appear, where nobody confirmed that it was stored. Default: it was, or
   * comes some time.
   */
  readonly appearsWithinMs?: number;
}
