import {
  type Clock,
  type HeldLock,
  LONGEST_LEASE_MS,
  type LockClaim,
  type LockKeeping,
  type LockStore,
  type LockView,
  type LockWaiter,
  MillraceError,
  requireLease,
  requireLockName,
  type Stoppable,
} from "@millrace/core";
import { machineOf } from "../machine/machine.ts";
import { sleep } from "../machine/timers.ts";
import { orWithoutStream } from "../jetstream-errors.ts";
import { LockBucket } from "./lock-bucket.ts";
import { type LockEntry, lockValue, viewOf } from "./lock-entry.ts";
import type { ServerAccess } from "../store/server-access.ts";
import type { LockOrder } from "../lease/lock-order.ts";
import { LockWaiters, type WaitingQuery } from "./lock-waiters.ts";
import { WriteNames } from "./write-names.ts";

/** What nobody holds any more is swept by the server well after the longest lease. */
const SWEEP_AGE_MS = LONGEST_LEASE_MS + 3_600_000;
type KeepLock = (order: LockOrder, leaseMs: number, ageMs: number) => LockKeeping | undefined;

/** Each round something has to be written between a look and the write that follows it. */
const ROUNDS = 4;
/**
 * Between two tries on what stands as it was expected and yet refuses a write: another write is on
 * its way to a majority.
 */
const UNDECIDED_PAUSE_MS = 50;
/** An answer that comes after most of the lease is of no use. */
const acquireTimeoutMs = (leaseMs: number): number =>
  Math.min(5_000, Math.max(1_000, Math.floor(leaseMs / 2)));
/** A renewal without an answer is to be tried again within its lease. */
const renewTimeoutMs = (leaseMs: number): number =>
  Math.min(5_000, Math.max(100, Math.floor(leaseMs / 4)));

/**
 * Locks in one KV bucket. The revision is the fencing token: it is the bucket's stream sequence,
 * which only grows, over releases and expiries too. A lease ends by the server's clock alone: the
 * server's time of the write against the server's time now. Every decision is a compare-and-set;
 * what was read before only says what to compare with. A free lock is taken by one write.
 */
export class NatsLocks implements LockStore {
  readonly #bucket: LockBucket;
  readonly #keepLock: KeepLock;
  readonly #names: WriteNames;
  readonly #clock: Clock;
  readonly #waiters: LockWaiters;

  constructor(server: ServerAccess, replicas: number, keepLock: KeepLock) {
    this.#bucket = new LockBucket(server, { replicas, maxAgeMs: SWEEP_AGE_MS });
    this.#keepLock = keepLock;
    this.#waiters = new LockWaiters(server);
    const { clock, newId } = machineOf(server.nc);
    this.#names = new WriteNames(newId, () => clock.now());
    this.#clock = clock;
  }

  async acquire(name: string, claim: LockClaim): Promise<HeldLock | undefined> {
    requireLockName(name);
    requireLease(claim.leaseMs);
    const caller = this.#names.enter(claim, name);
    try {
      return await this.#acquire(name, caller);
    } finally {
      this.#names.leave(caller, name);
    }
  }

  async renew(lock: HeldLock, claim: LockClaim): Promise<HeldLock> {
    requireLease(claim.leaseMs);
    const caller = this.#names.enter(lock, lock.name);
    try {
      return await this.#renew(caller, claim);
    } finally {
      this.#names.leave(caller, lock.name);
    }
  }

  async release(lock: HeldLock): Promise<boolean> {
    const { name } = lock;
    // Found now: a renewal that is under way meanwhile hands it on to the lock that it returns.
    const write = this.#names.find(lock, name);
    let expected: number | undefined = lock.token;
    let removed = false;
    for (let round = 1; round <= ROUNDS && !removed && expected !== undefined; round += 1) {
      const token: number = expected;
      // Without the bucket nothing is held any more.
      const found: boolean | undefined = await orWithoutStream(undefined, () =>
        this.#bucket.remove(name, token),
      );
      removed = found === true;
      if (found === undefined) expected = undefined;
      else if (!found) expected = (await this.#own(name, write))?.revision;
    }
    this.#names.forget(lock, name);
    // Also where it is not there any more: an earlier copy of this may have removed it, whose
    // answer was lost, and who waits for the lock would not look before its lease is over.
    if (removed || expected === undefined) this.#bucket.announceRelease(name);
    return removed;
  }

  keep(lock: HeldLock, claim: LockClaim, ageMs: number): LockKeeping | undefined {
    const value = lockValue(claim, this.#names.holdingOf(lock, lock.name));
    return this.#keepLock(this.#bucket.orderFor(lock, value), claim.leaseMs, ageMs);
  }

  async look(name: string): Promise<LockView | undefined> {
    requireLockName(name);
    return orWithoutStream(undefined, async () => {
      const [entry, now] = await this.#readNow(name, true);
      return viewOf(entry, now);
    });
  }

  async list(prefix = ""): Promise<readonly LockView[]> {
    const now = await orWithoutStream(undefined, () => this.#bucket.serverNow(true));
    if (now === undefined) return [];
    return (await this.#bucket.readAll())
      .filter(({ name }) => name.startsWith(prefix))
      .flatMap((entry) => viewOf(entry, now) ?? [])
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async onRelease(
    name: string,
    listener: () => void,
    waiter?: Pick<LockWaiter, "holder" | "since">,
  ): Promise<Stoppable> {
    requireLockName(name);
    // First: what confirms the listening confirms this too.
    const leave = waiter && this.#waiters.add({ ...waiter, name });
    try {
      const listening = await this.#bucket.onRelease(name, listener);
      return {
        stop: () => {
          leave?.();
          return listening.stop();
        },
      };
    } catch (error) {
      leave?.();
      throw error;
    }
  }

  waiting(options?: WaitingQuery): Promise<readonly LockWaiter[]> {
    return this.#waiters.ask(options);
  }

  async #renew(lock: HeldLock, claim: LockClaim): Promise<HeldLock> {
    const { name } = lock;
    const holding = this.#names.holdingOf(lock, name);
    const { write } = holding;
    const value = lockValue(claim, holding);
    let expected: number | undefined = lock.token;
    for (let round = 1; round <= ROUNDS && expected !== undefined; round += 1) {
      const timeoutMs = renewTimeoutMs(claim.leaseMs);
      const token = await this.#bucket.write(name, value, expected, timeoutMs);
      if (token !== undefined) return this.#next(lock, { name, token });
      const entry = await this.#bucket.read(name);
      // The answer is older than this lock: a leader that has been replaced gave it, and refused
      // the write too.
      if (entry !== undefined && entry.revision < lock.token) throw undecided(name);
      const own = ifOf(entry, write);
      if (own?.revision === expected) throw undecided(name);
      expected = own?.revision;
    }
    this.#names.forget(lock, name);
    throw new MillraceError(
      "lock-lost",
      `The lock ${name} is no longer held under token ${lock.token}: another holder took it, or it was released. Stop what it protects.`,
    );
  }

  async #acquire(name: string, claim: LockClaim): Promise<HeldLock | undefined> {
    let expected: number | undefined = 0;
    for (let round = 1; round <= ROUNDS && expected !== undefined; round += 1) {
      const written = await this.#writeToAcquire(name, claim, expected);
      if (written?.isAnswered === true) return this.#next(claim, { name, token: written.token });
      // Written over: it may be of an earlier call with this claim, and its lease nearly over.
      const own = written?.token;
      const found: number | undefined = own ?? (await this.#expectedToAcquire(name, claim));
      if (round === ROUNDS && (own !== undefined || found === expected)) throw undecided(name);
      if (found === expected) await sleep(this.#clock, UNDECIDED_PAUSE_MS);
      expected = found;
    }
    this.#names.forget(claim, name);
    return undefined;
  }

  async #writeToAcquire(
    name: string,
    claim: LockClaim,
    expected: number,
  ): Promise<{ readonly token: number; readonly isAnswered: boolean } | undefined> {
    const holding = this.#names.holdingOf(claim, name);
    const value = lockValue(claim, holding);
    try {
      const timeoutMs = acquireTimeoutMs(claim.leaseMs);
      const token = await this.#bucket.write(name, value, expected, timeoutMs);
      return token === undefined ? undefined : { token, isAnswered: true };
    } catch (error) {
      // It may be stored all the same, and then nobody but its writer would ever free it.
      const entry = await this.#own(name, holding.write);
      if (entry === undefined || entry.revision === expected) throw error;
      return { token: entry.revision, isAnswered: false };
    }
  }

  /** @returns the revision that a takeover replaces, or undefined where another holds the lock */
  async #expectedToAcquire(name: string, claim: LockClaim): Promise<number | undefined> {
    const [entry, now] = await this.#readNow(name);
    if (entry === undefined) return 0;
    const isOwn = entry.value?.write === this.#names.find(claim, name);
    return isOwn || viewOf(entry, now) === undefined ? entry.revision : undefined;
  }

  #next(caller: object, lock: HeldLock): HeldLock {
    this.#names.carry(caller, lock, lock.name);
    return lock;
  }

  /** What was written for this holding without its learning of it. */
  async #own(name: string, write: string | undefined): Promise<LockEntry | undefined> {
    if (write === undefined) return undefined;
    return ifOf(await this.#bucket.read(name), write);
  }

  /**
   * Side by side: where the time is read before the entry, the lease only looks longer than it is.
   */
  #readNow(name: string, retries = false): Promise<[LockEntry | undefined, number]> {
    return Promise.all([this.#bucket.read(name, retries), this.#bucket.serverNow(retries)]);
  }
}

/** The entry, where it was written for this holding. */
function ifOf(entry: LockEntry | undefined, write: string): LockEntry | undefined {
  return entry?.value?.write === write ? entry : undefined;
}

/**
 * The entry is as expected, or older, and a write that expects it is refused: one that was made
 * before, perhaps by the same holder, has no majority of the cluster behind it yet, or is not known
 * to who answers. Nothing is known then. A leader that was cut off answers so until it steps down,
 * and so does one whose followers are slow.
 */
function undecided(name: string): MillraceError {
  return new MillraceError(
    "request-timeout",
    `Could not take the lock ${name}: a write that was made before is not confirmed by a majority of the cluster yet. Try again.`,
  );
}
