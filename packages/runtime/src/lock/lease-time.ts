/**
 * When what happens in a lease. Sixths: renewed after two, tried again with room for a call that
 * gets no answer, given up after five, so that the last sixth is left for whatever the lock
 * protects to end.
 */
export const leaseTime = {
  /** From sending the write that began the lease to the next renewal. */
  renewAfterMs: (leaseMs: number): number => leaseMs / 3,
  /** From sending that write until the holder gives up. */
  heldForMs: (leaseMs: number): number => (leaseMs * 5) / 6,
  /** Between a renewal that failed and the next try. */
  renewAgainMs: (leaseMs: number): number => Math.min(1_000, leaseMs / 20),
};

/** Between two tries of a waiter that can't reach the store. */
export const WAITER_RETRY_MS = 500;
/**
 * A release that was not told is found by a waiter within this, however long the holder's lease.
 */
export const LONGEST_SLEEP_MS = 30_000;
/** Waiters that are woken together try one after the other within this, in a random order. */
export const RELEASE_JITTER_MS = 10;
export const EXPIRY_JITTER_MS = 50;
/** A store that does not answer keeps `release()` no longer than this. */
export const RELEASE_PATIENCE_MS = 5_000;
