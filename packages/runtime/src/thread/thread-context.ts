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
  /** Sends what the handler has made in its thread. */
  send(jobs: readonly PreparedJob[]): Promise<readonly EnqueueItemResult[]>;
}
