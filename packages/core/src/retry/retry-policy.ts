import type { RecordedError } from "../errors/recorded-error.ts";

/** What a policy is asked after an attempt failed. */
export interface RetryQuestion {
  /** Attempts that ended in an outcome, this one included: 1 after the first failure. */
  readonly attempts: number;
  readonly error: RecordedError;
  /** In [0, 1). Given from outside, so that the policy itself is a pure function. */
  readonly random: number;
}

/** How often a job is tried, and how long it waits in between. Attempt 1 always runs at once. */
export interface RetryPolicy {
  /** Attempts in all, the first included. A job's own `maxAttempts` overrides it. */
  readonly attempts: number;
  /**
   * Milliseconds to wait before the next attempt, or `"never"` to give up although attempts are
   * left.
   */
  delayMs(question: RetryQuestion): number | "never";
}
