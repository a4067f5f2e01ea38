import {
  type HeldLock,
  LONGEST_LEASE_MS,
  type LockClaim,
  type LockStore,
  type LockView,
  MillraceError,
  requireLease,
  requireLockName,
  type Stoppable,
} from "@millrace/core";
import { LockBucket } from "./lock-bucket.ts";
import { type LockEntry, viewOf } from "./lock-entry.ts";
import type { ServerAccess } from "./server-access.ts";
import { UnconfirmedWrites } from "./unconfirmed-writes.ts";

/** What nobody holds any more is swept by the server well after the longest lease. */
const SWEEP_AGE_MS = LONGEST_LEASE_MS + 3_600_000;
/** Each round somebody else has to come between a look and the write that follows it. */
const ROUNDS = 3;
/** An answer that comes after most of the lease is of no use. */
const acquireTimeoutMs = (leaseMs: number): number =>
  Math.min(5_000, Math.max(1_000, Math.floor(leaseMs / 2)));
/** A renewal without an answer is to be tried again within its lease. */
const renewTimeoutMs = (leaseMs: number): number =>
  Math.min(5_000, Math.max(100, Math.floor(leaseMs / 4)));

/**
 * Locks in one KV bucket. The revision is the fencing token: it is the bucket's stream sequence, which only grows, over releases
 * and expiries too. A lease ends by the server's clock alone: the server's time of the write against the server's time now.
 * Every decision is a compare-and-set; what was read before only says what to compare with. A free lock is taken by one write.
 */
export class NatsLocks implements LockStore {
  readonly #bucket: LockBucket;
  readonly #unconfirmed = new UnconfirmedWrites();

  constructor(server: ServerAccess, replicas: number) {
    this.#bucket = new LockBucket(server, { replicas, maxAgeMs: SWEEP_AGE_MS });
  }

  async acquire(name: string, claim: LockClaim): Promise<HeldLock | undefined> {
    requireLockName(name);
    requireLease(claim.leaseMs);
    let expected: number | undefined = 0;
    for (let round = 1; round <= ROUNDS && expected !== undefined; round += 1) {
      const token = await this.#writeToAcquire(name, claim, expected);
      if (token !== undefined) {
        this.#unconfirmed.settle(claim, name);
        return { name, token };
      }
      expected = await this.#expectedToAcquire(name, claim);
    }
    this.#unconfirmed.settle(claim, name);
    return undefined;
  }

  async renew(lock: HeldLock, claim: LockClaim): Promise<HeldLock> {
    requireLease(claim.leaseMs);
    const { name } = lock;
    const value = { ...claim, write: this.#unconfirmed.nameOf(lock, name) };
    const timeoutMs = renewTimeoutMs(claim.leaseMs);
    let token = await this.#bucket.write(name, value, lock.token, timeoutMs);
    if (token === undefined) {
      const earlier = await this.#own(lock, name);
      if (earlier !== undefined)
        token = await this.#bucket.write(name, value, earlier.revision, timeoutMs);
    }
    this.#unconfirmed.settle(lock, name);
    if (token !== undefined) return { name, token };
    throw new MillraceError(
      "lock-lost",
      `The lock ${name} is no longer held under token ${lock.token}: another holder took it, or it was released. Stop what it protects.`,
    );
  }

  async release(lock: HeldLock): Promise<boolean> {
    const { name, token } = lock;
    let removed = await this.#bucket.remove(name, token);
    if (!removed && this.#unconfirmed.find(lock, name) !== undefined) {
      const renewed = await this.#own(lock, name);
      removed = renewed !== undefined && (await this.#bucket.remove(name, renewed.revision));
    }
    this.#unconfirmed.settle(lock, name);
    if (removed) this.#bucket.announceRelease(name);
    return removed;
  }

  async look(name: string): Promise<LockView | undefined> {
    requireLockName(name);
    const [entry, now] = await this.#readNow(name);
    return viewOf(entry, now);
  }

  async list(prefix = ""): Promise<readonly LockView[]> {
    const now = await this.#bucket.serverNow();
    return (await this.#bucket.readAll())
      .filter(({ name }) => name.startsWith(prefix))
      .flatMap((entry) => viewOf(entry, now) ?? [])
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async onRelease(name: string, listener: () => void): Promise<Stoppable> {
    requireLockName(name);
    return this.#bucket.onRelease(name, listener);
  }

  async #writeToAcquire(
    name: string,
    claim: LockClaim,
    expected: number,
  ): Promise<number | undefined> {
    const { holder, leaseMs } = claim;
    const value = { holder, leaseMs, write: this.#unconfirmed.nameOf(claim, name) };
    try {
      return await this.#bucket.write(name, value, expected, acquireTimeoutMs(leaseMs));
    } catch (error) {
      // It may be stored all the same, and then nobody but its writer would ever free it.
      const entry = await this.#own(claim, name);
      if (entry !== undefined) return entry.revision;
      throw error;
    }
  }

  /** @returns the revision that a takeover replaces, or undefined where another holds the lock */
  async #expectedToAcquire(name: string, claim: LockClaim): Promise<number | undefined> {
    const [entry, now] = await this.#readNow(name);
    if (entry === undefined) return 0;
    const isOwn = entry.value?.write === this.#unconfirmed.find(claim, name);
    return isOwn || viewOf(entry, now) === undefined ? entry.revision : undefined;
  }

  /** What an earlier call of this caller wrote without learning of it. */
  async #own(caller: object, name: string): Promise<LockEntry | undefined> {
    const write = this.#unconfirmed.find(caller, name);
    const entry = await this.#bucket.read(name);
    return write !== undefined && entry?.value?.write === write ? entry : undefined;
  }

  /** Side by side: where the time is read before the entry, the lease only looks longer than it is. */
  #readNow(name: string): Promise<[LockEntry | undefined, number]> {
    return Promise.all([this.#bucket.read(name), this.#bucket.serverNow()]);
  }
}
