import type { MillraceError } from "../errors/millrace-error.ts";

/** How jobs are enqueued. */
export interface EnqueueCall {
  /**
   * Once it is aborted, nothing goes out any more, and each job that is not confirmed has the error
   * `publish-timeout`, whose message says whether it was ever sent.
   */
  readonly signal?: AbortSignal;
  /**
   * All jobs are of one queue, and each id was made for this call: no queue can know it. Then they
   * may be confirmed together, and `sequence` is 0.
   */
  readonly newIds?: boolean;
  /**
   * Ids that were given, each the key of what is to be done once. A job whose id is among them is a
   * duplicate, `known`, also after the dedupe window: while a job that was enqueued so waits under
   * the id in the queue or runs, and while the history, a dead letter or a delayed job has it.
   */
  readonly keys?: ReadonlySet<string>;
  /**
   * All jobs are of one queue, and are stored as one or not at all. If they are not, each has the
   * error that kept them from it: `server-too-old` before NATS 2.12. Jobs that are there already
   * are duplicates, and the others are stored all the same.
   */
  readonly together?: boolean;
  /**
   * They are the runtime's, and a producer can foresee their ids: they come in on the programs'
   * door, and are duplicates only of such. Where a producer has used an id before, the job is
   * stored all the same. Goes with no other of these.
   */
  readonly own?: boolean;
}

export type EnqueueResult =
  | {
      readonly ok: true;
      readonly id: string;
      readonly queue: string;
      readonly sequence: number;
      readonly duplicate: boolean;
      /**
       * Nothing was sent: the id is the key of a job of which something was stored then, epoch
       * milliseconds of the broker's clock.
       */
      readonly onRecordSince?: number;
    }
  | {
      readonly ok: false;
      readonly id: string;
      readonly queue: string;
      readonly error: MillraceError;
    };
