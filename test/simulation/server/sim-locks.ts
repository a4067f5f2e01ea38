import type { Clock, HeldLock, LockClaim, LockView } from "@millrace/core";

export interface LockValue extends LockClaim {
  /** Made by whoever wrote it: by this a write whose answer was lost is recognised. */
  readonly write: string;
}

interface Entry extends LockValue {
  readonly token: number;
  readonly writtenMs: number;
}

/**
 * The bucket of the locks: compare and set by revision, which is the token, and a lease by the
 * server's clock.
 */
export class SimLocks {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<(name: string) => void>();
  #revision = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  read(name: string): Entry | undefined {
    return this.#entries.get(name);
  }

  look(name: string): LockView | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    const leftMs = entry.writtenMs + entry.leaseMs - this.#clock.monotonic();
    const { holder, token, leaseMs } = entry;
    return leftMs > 0 ? { name, holder, token, leaseMs, leftMs } : undefined;
  }

  list(prefix: string): readonly LockView[] {
    return [...this.#entries.keys()]
      .filter((name) => name.startsWith(prefix))
      .sort()
      .flatMap((name) => this.look(name) ?? []);
  }

  /** @param expected the revision that is there, 0 for none. @returns undefined where another is */
  write(name: string, value: LockValue, expected: number): HeldLock | undefined {
    if ((this.#entries.get(name)?.token ?? 0) !== expected) return undefined;
    const token = (this.#revision += 1);
    this.#entries.set(name, { ...value, token, writtenMs: this.#clock.monotonic() });
    return { name, token };
  }

  remove(name: string, expected: number): boolean {
    if (this.#entries.get(name)?.token !== expected) return false;
    this.#revision += 1;
    this.#entries.delete(name);
    for (const listener of [...this.#listeners]) listener(name);
    return true;
  }

  /** Heard of every lock that is released. */
  listen(listener: (name: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
