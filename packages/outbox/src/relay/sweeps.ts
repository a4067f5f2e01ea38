/** Looks from time to time for what is over, and removes it. */
export interface Sweep {
  /**
   * The next part, where one is due or under way. Never rejects.
   *
   * @param now `Clock.monotonic()`
   * @param ended once it is aborted nothing is removed any more, and nothing waited for
   */
  next(now: number, ended: AbortSignal): Promise<void>;
}

/**
 * Sweeps beside what publishes. One looks through queues and the history, which may take minutes,
 * and no row has to wait for that.
 */
export class Sweeps {
  readonly #sweeps: readonly Sweep[];
  readonly #ended = new AbortController();
  #underWay: Promise<void> | undefined;

  constructor(sweeps: readonly Sweep[]) {
    this.#sweeps = sweeps;
  }

  /**
   * Begins with the next part of each sweep, unless the last is still under way.
   *
   * @param now `Clock.monotonic()`
   */
  next(now: number): void {
    this.#underWay ??= this.#parts(now);
  }

  /** What a sweep still looks for is not waited for. */
  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#underWay;
  }

  async #parts(now: number): Promise<void> {
    const { signal } = this.#ended;
    for (const sweep of this.#sweeps) if (!signal.aborted) await sweep.next(now, signal);
    this.#underWay = undefined;
  }
}
