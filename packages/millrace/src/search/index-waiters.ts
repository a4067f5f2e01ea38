interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** An outage of less is waited for. */
const LASTING_MS = 30_000;

/** Who waits until an index is as far as the streams were. */
export class IndexWaiters {
  #waiters: Waiter[] = [];
  /** Since when each round has failed, `Clock.monotonic()`. */
  #failingSince: number | undefined;

  get count(): number {
    return this.#waiters.length;
  }

  wait(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiters.push({ resolve, reject });
    return promise;
  }

  /** @param asked so many waited before the round began */
  caughtUp(asked: number): void {
    this.#failingSince = undefined;
    for (const { resolve } of this.#waiters.splice(0, asked)) resolve();
  }

  /** A round has failed. */
  failed(error: unknown, now: number): void {
    this.#failingSince ??= now;
    if (now - this.#failingSince < LASTING_MS) return;
    for (const { reject } of this.#waiters.splice(0)) reject(error);
  }
}
