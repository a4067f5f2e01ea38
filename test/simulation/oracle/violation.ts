/** What must never be, whatever fault there was. */
export type ViolationKind =
  /** Confirmed, and it has no end. */
  | "lost"
  /** It ran, and has no end. */
  | "unsettled"
  /** Succeeded and dead, cancelled and succeeded: two that can't both be true. */
  | "two-ends"
  /** The same end by two settlements, of two runs. */
  | "ended-again"
  | "two-letters"
  | "attempt-spent"
  | "attempts-miscounted"
  | "told-otherwise"
  /** More at once than a singleton, a cap or a unique key allows. */
  | "overlap"
  | "token-reused"
  /** A chain's next job or a batch's callback was told what isn't so, or different things. */
  | "untrue-next"
  | "untrue-callback"
  | "lost-next"
  /** An end of which nobody was told, or something else than what is on record. */
  | "lost-word"
  | "untrue-word"
  /** Buried as one that crashes its process, and no process died of it. */
  | "not-poison"
  /** More starts than a queue's rate allows. */
  | "too-fast"
  /**
   * A schedule's tick that was neither enqueued nor left out by its rule; a job of a time that is
   * no tick.
   */
  | "tick"
  /** Cancelled, purged or brought back, and nobody had asked for that. */
  | "unasked"
  /** It began after a producer had been told that another job takes its place. */
  | "replaced-ran"
  /** Purged while it ran. */
  | "purged-running"
  /** A step was run once more although somebody had been given what it came to. */
  | "step-again"
  /** Two results of one step, or one that no run of it had. */
  | "untrue-step"
  /** A signal lay there, and the job slept on. */
  | "lost-wake"
  /** Two waits were given the same signal. */
  | "signal-twice"
  /** It ran where its producer may not reach. */
  | "trespass"
  | "phantom"
  /** A tick, a lock, a message that never goes. */
  | "stuck";

export interface Violation {
  readonly is: ViolationKind;
  readonly job: string;
  readonly detail: string;
}
