import type {
  AnyJob,
  AttemptTrace,
  EnqueueItemResult,
  Envelope,
  ExecutionContext,
  PreparedJob,
  ThreadLease,
} from "@millrace/core";

/** The context of an attempt, with what is asked of it for a handler that is in a thread. */
export interface ThreadContext extends ExecutionContext {
  readonly definition: AnyJob;
  /** The job as it came; `job` is a copy, which whoever asks for it may change. */
  readonly envelope: Envelope;
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
