/** A timer that was set. Cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
  /** Lets the process end before it fires, where there is a process to end. */
  unref?(): void;
}

/** Where time comes from. Nothing in core or runtime reads the system's clock by itself. */
export interface Clock {
  /**
   * Wall clock, epoch milliseconds. May jump. For what is written down or compared with a
   * producer's times.
   */
  now(): number;
  /** Milliseconds that never jump and never go back. For leases, timeouts and durations. */
  monotonic(): number;
  /**
   * Calls `fire` once, `delayMs` from now; delays beyond what the platform's timers take are
   * honoured.
   */
  setTimer(delayMs: number, fire: () => void): Timer;
}
