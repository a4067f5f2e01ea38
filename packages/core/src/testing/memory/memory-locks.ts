import type { HeldLock, LockStore } from "../../broker/lock-store.ts";
import { MillraceError } from "../../errors/millrace-error.ts";
import type { Clock } from "../../time/clock.ts";

/** All locks, shared by every connection. A lease that ran out is noticed when somebody asks. */
export class LockTable {
  readonly clock: Clock;
  readonly #held = new Map<string, { readonly token: number; readonly untilMs: number }>();
  #lastToken = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  tokenOf(name: string): number | undefined {
    const held = this.#held.get(name);
    return held !== undefined && held.untilMs > this.clock.monotonic() ? held.token : undefined;
  }

  take(name: string, leaseMs: number): HeldLock {
    const token = (this.#lastToken += 1);
    this.#held.set(name, { token, untilMs: this.clock.monotonic() + leaseMs });
    return { name, token };
  }

  free(name: string): void {
    this.#held.delete(name);
  }
}

/** One connection's access to the locks. */
export class MemoryLocks implements LockStore {
  readonly #table: LockTable;
  readonly #reach: () => void;

  /** @param reach throws where the connection can't be used */
  constructor(table: LockTable, reach: () => void) {
    this.#table = table;
    this.#reach = reach;
  }

  async acquire(
    name: string,
    { leaseMs }: { readonly holder: string; readonly leaseMs: number },
  ): Promise<HeldLock | undefined> {
    this.#reach();
    return this.#table.tokenOf(name) === undefined ? this.#table.take(name, leaseMs) : undefined;
  }

  async renew(
    lock: HeldLock,
    { leaseMs }: { readonly holder: string; readonly leaseMs: number },
  ): Promise<HeldLock> {
    this.#reach();
    if (this.#table.tokenOf(lock.name) === lock.token) return this.#table.take(lock.name, leaseMs);
    throw new MillraceError(
      "lock-lost",
      `The lock ${lock.name} is no longer held under token ${lock.token}. Stop what it protects, then acquire it again.`,
    );
  }

  async release(lock: HeldLock): Promise<boolean> {
    this.#reach();
    const held = this.#table.tokenOf(lock.name) === lock.token;
    if (held) this.#table.free(lock.name);
    return held;
  }
}
