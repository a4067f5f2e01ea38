/** A lock that is held. The token only grows over all holders of the lock's name. */
export interface HeldLock {
  readonly name: string;
  readonly token: number;
}

/** Locks with leases. Primitives only: who waits, renews and gives up is the lock actor's business. */
export interface LockStore {
  /** @returns undefined where another holder has it */
  acquire(
    name: string,
    options: { readonly holder: string; readonly leaseMs: number },
  ): Promise<HeldLock | undefined>;
  /** The same lock with a new lease and a new token. @throws MillraceError `lock-lost` */
  renew(
    lock: HeldLock,
    options: { readonly holder: string; readonly leaseMs: number },
  ): Promise<HeldLock>;
  /** Frees the lock if it is still held under this token. @returns whether it was */
  release(lock: HeldLock): Promise<boolean>;
}
