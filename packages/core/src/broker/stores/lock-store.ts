import type { Stoppable } from "../stoppable.ts";

/** A lock that is held. The token only grows over all holders of the lock's name. */
export interface HeldLock {
  readonly name: string;
  readonly token: number;
}

/** Who asks for a lock, and for how long without a renewal. */
export interface LockClaim {
  /** A name for people: what `list` shows. Two claims of one holder are still two. */
  readonly holder: string;
  readonly leaseMs: number;
}

/** A lock as others see it. */
export interface LockView {
  readonly name: string;
  readonly holder: string;
  /** Of the last renewal: what the holder was given at first is smaller or the same. */
  readonly token: number;
  readonly leaseMs: number;
  /** Until the lease is over if it is not renewed, milliseconds; more than 0. */
  readonly leftMs: number;
  /**
   * Since when its holder has it, epoch milliseconds by the holder's clock, over all renewals.
   * Absent where a node of an older version has it.
   */
  readonly since?: number;
}

/** Who waits for a lock, in its own words. */
export interface LockWaiter {
  readonly name: string;
  /** Its name for people, as `LockView.holder` once it has the lock. */
  readonly holder: string;
  /** Since when, epoch milliseconds by its own clock. */
  readonly since: number;
}

/** Extends a lock's lease from outside of the event loop of its holder. */
export interface LockKeeping {
  /**
   * How long ago the last extension that the server confirmed was sent, milliseconds. Undefined:
   * there was none.
   */
  extendedAgoMs(): number | undefined;
  /** Extends no longer. Idempotent. */
  end(): void;
}

/**
 * Locks with leases. Primitives only: who waits, renews and gives up is the lock actor's business.
 *
 * A lock's name is any text of up to 512 bytes. A lease begins after the call that returns it was
 * made: a holder that counts from before its call gives up in time.
 *
 * Where a call fails it is unknown whether it was carried out. Called again with the same claim (of
 * `acquire`) or the same lock (of `renew` and `release`), the very object, the store recognises
 * what the earlier call did.
 */
export interface LockStore {
  /**
   * @returns undefined where another holder has it
   * @throws MillraceError `invalid-name`, `invalid-option` for a lease of 0 or more than a day,
   *   `request-timeout` …
   */
  acquire(name: string, claim: LockClaim): Promise<HeldLock | undefined>;
  /**
   * The same lock with a new lease and a new token. Fails early enough to be tried again within the
   * lease. If two calls ask at the same time, one gets the lock, whatever object they share.
   *
   * @throws MillraceError `lock-lost`: another took it or it was released. Any other code: try
   *   again.
   */
  renew(lock: HeldLock, claim: LockClaim): Promise<HeldLock>;
  /** Frees the lock if it is still held under this token. @returns whether it was */
  release(lock: HeldLock): Promise<boolean>;
  /** Who holds the lock now. @returns undefined where nobody does, or the lease is over */
  look(name: string): Promise<LockView | undefined>;
  /** All locks that are held now, by name. For people: it reads them all. */
  list(prefix?: string): Promise<readonly LockView[]>;
  /**
   * Calls the listener soon after the lock was released. It may be called too often, and not at all
   * where the connection was down or the lease ran out: a waiter also looks again when the holder's
   * lease can be over.
   *
   * @param waiter what `waiting` says of who listens, until it is stopped. Default: nothing
   */
  onRelease(
    name: string,
    listener: () => void,
    waiter?: Pick<LockWaiter, "holder" | "since">,
  ): Promise<Stoppable>;
  /**
   * Who waits now, by name, and who has waited longest first. Asks everybody, and takes what is
   * answered in time: for people. Nothing is stored about those who wait, so one that is frozen or
   * cut off is missing.
   *
   * @param options.withinMs how long answers are waited for. Default 300; less where nobody waits
   */
  waiting?(options?: {
    readonly prefix?: string;
    readonly withinMs?: number;
  }): Promise<readonly LockWaiter[]>;
  /**
   * Extends the lease from half of it on where `renew` was not called by then, because something
   * stalls the holder's event loop. To be asked for again for what `renew` returns, and ended
   * before `release`; both recognise what was extended.
   *
   * @param ageMs how long ago the call was made that began the lease
   * @returns undefined where this store, or this process of it, can't
   */
  keep?(lock: HeldLock, claim: LockClaim, ageMs: number): LockKeeping | undefined;
}
