import {
  type Clock,
  type HeldLock,
  type LockClaim,
  type LockStore,
  type LockView,
  type LockWaiter,
  MillraceError,
  requireLease,
  requireLockName,
  type Stoppable,
  waitersInOrder,
} from "@millrace/core";
import type { Connection } from "../connection.ts";

interface Entry extends LockClaim {
  readonly token: number;
  readonly untilMs: number;
  readonly since: number;
}

/** All locks, shared by every connection. A lease that ran out is noticed when somebody asks. */
export class LockTable {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Map<string, Set<() => void>>();
  readonly waiting = new Set<LockWaiter>();
  #lastToken = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  look(name: string): LockView | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    const leftMs = entry.untilMs - this.#clock.monotonic();
    if (leftMs <= 0) return undefined;
    const { holder, token, leaseMs, since } = entry;
    return { name, holder, token, leaseMs, leftMs, since };
  }

  list(prefix: string): readonly LockView[] {
    return [...this.#entries.keys()]
      .filter((name) => name.startsWith(prefix))
      .sort()
      .flatMap((name) => this.look(name) ?? []);
  }

  /** @param since of a holding that goes on */
  take(name: string, { holder, leaseMs }: LockClaim, since = this.#clock.now()): HeldLock {
    const token = (this.#lastToken += 1);
    this.#entries.set(name, {
      holder,
      leaseMs,
      token,
      since,
      untilMs: this.#clock.monotonic() + leaseMs,
    });
    return { name, token };
  }

  free(name: string): void {
    this.#entries.delete(name);
    for (const listener of [...(this.#listeners.get(name) ?? [])]) listener();
  }

  listen(name: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(name) === listeners)
        this.#listeners.delete(name);
    };
  }
}

/** One connection's access to the locks. */
export class MemoryLocks implements LockStore {
  readonly #table: LockTable;
  readonly #connection: Connection;
  /** What was done without an answer: tokens by the object that asked, and by the lock's name. */
  readonly #untold = new WeakMap<object, Map<string, number>>();
  /** What is asked is done, and its answer is lost. */
  losesAnswers = false;

  constructor(table: LockTable, connection: Connection) {
    this.#table = table;
    this.#connection = connection;
  }

  async acquire(name: string, claim: LockClaim): Promise<HeldLock | undefined> {
    requireLockName(name);
    requireLease(claim.leaseMs);
    this.#connection.reach();
    const there = this.#table.look(name);
    if (there !== undefined && there.token !== this.#untoldTo(claim, name)) {
      this.#answer();
      return undefined;
    }
    return this.#tell(claim, this.#table.take(name, claim, there?.since));
  }

  async renew(lock: HeldLock, claim: LockClaim): Promise<HeldLock> {
    requireLease(claim.leaseMs);
    this.#connection.reach();
    if (this.#isHeld(lock)) {
      const { since } = this.#table.look(lock.name) ?? {};
      return this.#tell(lock, this.#table.take(lock.name, claim, since));
    }
    this.#answer();
    throw new MillraceError(
      "lock-lost",
      `The lock ${lock.name} is no longer held under token ${lock.token}. Stop what it protects, then acquire it again.`,
    );
  }

  async release(lock: HeldLock): Promise<boolean> {
    this.#connection.reach();
    const held = this.#isHeld(lock);
    if (held) this.#table.free(lock.name);
    this.#answer();
    return held;
  }

  async look(name: string): Promise<LockView | undefined> {
    requireLockName(name);
    this.#connection.reach();
    this.#answer();
    return this.#table.look(name);
  }

  async list(prefix = ""): Promise<readonly LockView[]> {
    this.#connection.reach();
    this.#answer();
    return this.#table.list(prefix);
  }

  /** What is released while the line is down stays untold, as on a server. */
  async onRelease(
    name: string,
    listener: () => void,
    waiter?: Pick<LockWaiter, "holder" | "since">,
  ): Promise<Stoppable> {
    requireLockName(name);
    this.#connection.reach();
    let stopped = false;
    const { waiting } = this.#table;
    const entry = waiter && { name, holder: waiter.holder, since: waiter.since };
    if (entry !== undefined) waiting.add(entry);
    const unlisten = this.#table.listen(name, () => {
      if (!this.#connection.isConnected) return;
      queueMicrotask(() => {
        if (!stopped) listener();
      });
    });
    return this.#connection.attach(() => {
      stopped = true;
      unlisten();
      if (entry !== undefined) waiting.delete(entry);
    });
  }

  async waiting({ prefix = "" }: { readonly prefix?: string } = {}): Promise<
    readonly LockWaiter[]
  > {
    this.#connection.reach();
    this.#answer();
    return waitersInOrder(this.#table.waiting, prefix);
  }

  #isHeld(lock: HeldLock): boolean {
    const token = this.#table.look(lock.name)?.token;
    return (
      token !== undefined && (token === lock.token || token === this.#untoldTo(lock, lock.name))
    );
  }

  #untoldTo(caller: object, name: string): number | undefined {
    return this.#untold.get(caller)?.get(name);
  }

  /** @throws MillraceError where the answer is lost: the caller is known again by what it holds */
  #tell(caller: object, lock: HeldLock): HeldLock {
    const untold = this.#untold.get(caller) ?? new Map<string, number>();
    this.#untold.set(caller, untold.set(lock.name, lock.token));
    this.#answer();
    untold.delete(lock.name);
    return lock;
  }

  #answer(): void {
    if (this.losesAnswers)
      throw new MillraceError("request-timeout", "The server did not answer. Try again.");
  }
}
