import type {
  AttemptTrace,
  EnqueueItemResult,
  ExecutionContext,
  PreparedJob,
  ThreadLease,
} from "@millrace/core";

/** The context of an attempt whose handler is in a thread. */
export interface ThreadContext extends ExecutionContext {
  readonly trace: AttemptTrace | undefined;
  readonly lease: ThreadLease | undefined;
  /**
   * One listener. Told when nobody waits for the handler any more: the attempt is over, or its
   * lease is lost, also where the signal was aborted before for another cause. At once where it is.
   */
  set onGone(listener: () => void);
  /** Sends what the handler has made in its thread. */
  send(jobs: readonly PreparedJob[]): Promise<readonly EnqueueItemResult[]>;
}
