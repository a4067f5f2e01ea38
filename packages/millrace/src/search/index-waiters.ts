interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** An outage of less is waited for. */
const LASTING_MS = 30_000;

/** Who waits until an index is as far as the streams were, or has forgotten all. */
export class IndexWaiters {
  #forRound: Waiter[] = [];
  #forRebuild: Waiter[] = [];
  /** Since when each round has failed, `Clock.monotonic()`. */
  #failingSince: number | undefined;

  get rounds(): number {
    return this.#forRound.length;
  }

  get rebuilds(): number {
    return this.#forRebuild.length;
  }

  round(): Promise<void> {
    return waitIn(this.#forRound);
  }

  rebuild(): Promise<void> {
    return waitIn(this.#forRebuild);
  }

  /** @param asked so many waited before it began */
  rebuilt(asked: number): void {
    for (const { resolve } of this.#forRebuild.splice(0, asked)) resolve();
  }

  /** @param asked so many waited before the round began */
  caughtUp(asked: number): void {
    this.#failingSince = undefined;
    for (const { resolve } of this.#forRound.splice(0, asked)) resolve();
  }

  /** A round has failed. */
  failed(error: unknown, now: number): void {
    this.#failingSince ??= now;
    if (now - this.#failingSince < LASTING_MS) return;
    for (const { reject } of [...this.#forRound.splice(0), ...this.#forRebuild.splice(0)])
      reject(error);
  }
}

function waitIn(waiters: Waiter[]): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  waiters.push({ resolve, reject });
  return promise;
}
