/** What keeps a job that waits from running, as it stands in JSON and as a client says it. */
export type JobHoldView =
  | { readonly kind: "time"; readonly why: DelayReasonView; readonly until: number }
  | {
      readonly kind: "gate";
      readonly gate: string;
      readonly limit?: "singleton" | "key-concurrency" | "key-rate";
      readonly key?: string;
      readonly since: number;
      /** Absent where more than a hundred come before it. */
      readonly before?: number;
      readonly waiting: number;
      readonly locks: readonly HoldingLockView[];
      readonly jobs: readonly HoldingJobView[];
    }
  | {
      readonly kind: "paused";
      readonly since: number;
      readonly by?: string;
      readonly reason?: string;
    }
  | {
      readonly kind: "queue-concurrency";
      readonly limit: number;
      readonly running: number;
      readonly holders: readonly HoldingNodeView[];
    }
  | {
      readonly kind: "queue-rate";
      readonly limit: number;
      readonly perMs: number;
      readonly holders: readonly HoldingNodeView[];
    }
  | { readonly kind: "slots"; readonly slots: number; readonly nodes: number };

export type DelayReasonView = "delay" | "retry" | "snooze" | "key-rate" | "handed-back";

export interface HoldingJobView {
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  readonly node: string;
  readonly startedAt: number;
  readonly traceId?: string;
}

export interface HoldingLockView {
  readonly name: string;
  readonly holder: string;
  readonly since?: number;
}

export interface HoldingNodeView {
  readonly holder: string;
  readonly count: number;
}

/** Nothing is known to hold a job whose answer has no `hold`. */
export interface HoldAnswerView {
  readonly hold?: JobHoldView;
}
