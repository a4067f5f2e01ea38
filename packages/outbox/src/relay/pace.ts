/** Within so long … */
const WINDOW_MS = 100;

/** When rows come fast. */
export interface Fast {
  /** … so many of them came. */
  readonly rows: number;
  /** For how long they are expected to go on. */
  readonly forMs: number;
}

/**
 * Where each commit can wake the relay. A notification makes commits wait for each other, which is
 * felt where there are many; where there are few, nothing is sooner.
 */
export const WOKEN: Fast = { rows: 100, forMs: 500 };
/** Where nobody can. */
export const UNWOKEN: Fast = { rows: 1, forMs: 100 };

/** Whether rows come so fast that a relay had better look by itself. */
export class Pace {
  readonly #fast: Fast;
  #windowFrom = Number.NEGATIVE_INFINITY;
  #rows = 0;
  #fastUntil = Number.NEGATIVE_INFINITY;

  constructor(fast: Fast) {
    this.#fast = fast;
  }

  /** @param now `Clock.monotonic()` */
  moved(rows: number, now: number): void {
    if (now - this.#windowFrom > WINDOW_MS) {
      this.#windowFrom = now;
      this.#rows = 0;
    }
    this.#rows += rows;
    if (this.#rows >= this.#fast.rows && rows > 0) this.#fastUntil = now + this.#fast.forMs;
  }

  isFast(now: number): boolean {
    return now < this.#fastUntil;
  }
}
