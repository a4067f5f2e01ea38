/** How the fleet, or a queue, was over time. Lists are of the same length as `at`. */
export interface PlotsView {
  readonly from: number;
  readonly to: number;
  /** How attempts ended, where there is an index that counts them. */
  readonly ended?: EndedView;
  readonly sampled: SampledView;
  /** Of the fleet: each queue in which a job has waited. */
  readonly queues?: Readonly<Record<string, QueueOverTimeView>>;
}

/** In a few equal parts of the time, the most of each; null where nobody took samples. */
export interface QueueOverTimeView {
  readonly queued: readonly (number | null)[];
  readonly oldestAgeMs: readonly (number | null)[];
}

export interface EndedView {
  readonly at: readonly number[];
  readonly succeeded: readonly number[];
  readonly failed: readonly number[];
  readonly dead: readonly number[];
  /** Null where no attempt ended. */
  readonly p50Ms: readonly (number | null)[];
  readonly p95Ms: readonly (number | null)[];
  /** How long attempts waited for their start; null where no record tells. */
  readonly waited50Ms: readonly (number | null)[];
  readonly waited95Ms: readonly (number | null)[];
}

/** The most of each step; null where nobody took samples. */
export interface SampledView {
  readonly at: readonly number[];
  readonly queued: readonly (number | null)[];
  readonly running: readonly (number | null)[];
  readonly delayed: readonly (number | null)[];
  readonly blocked: readonly (number | null)[];
  readonly dead: readonly (number | null)[];
  readonly oldestAgeMs: readonly (number | null)[];
  readonly slots: readonly (number | null)[];
  readonly used: readonly (number | null)[];
}
