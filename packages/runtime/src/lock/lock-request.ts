import type { Clock, LockStore, Logger } from "@millrace/core";

/** What the lock actor needs of its surroundings. A node's execution host has it all. */
export interface LockHost {
  readonly locks: LockStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** From 0 to 1, for the jitter of waiters. */
  readonly random: () => number;
}

export interface LockRequest {
  /** Any text of up to 512 bytes. */
  readonly name: string;
  /** Shown to people who look at the lock. Need not be unique. */
  readonly holder: string;
  /** How long the lock outlives a holder that died, milliseconds. Renewed every third of it. */
  readonly leaseMs: number;
  /** 0: one try. Infinity: until the signal. */
  readonly waitMs: number;
  /** Ends the waiting. A lock that is held already is not touched by it. */
  readonly signal?: AbortSignal;
}

/** A lock in its holder's hands, renewed until it is released or lost. */
export interface HeldLease {
  readonly name: string;
  /** Of this acquisition, the same while it is held. Every later holder's is greater. */
  readonly token: number;
  /**
   * Aborted with MillraceError `lock-lost` before the lease can be over by the holder's own
   * monotonic clock. Reading `signal.aborted` compares the clock itself, so a process that was
   * frozen finds out at once.
   */
  readonly signal: AbortSignal;
  /**
   * Whether the holder may still act; compares the clock, as `signal.aborted` does. Once false it
   * stays false.
   */
  isHeld(): boolean;
  /**
   * Idempotent. Resolves when the lock is free, at the latest after 5 s: then it frees itself when
   * its lease is over. Never rejects.
   */
  release(): Promise<void>;
}
