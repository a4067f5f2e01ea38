import type { Clock } from "@millrace/core";

interface Entry {
  readonly atMs: number;
  readonly undo: () => void;
}

/**
 * No crash forgets more than this: a server writes down what its consumers do ten times a second.
 */
const REMEMBERED_MS = 1_000;
const TIDY_EVERY = 512;

/** What a server has done and not written down yet. */
export class Journal {
  readonly #clock: Clock;
  #entries: Entry[] = [];
  /** Monotonic: nothing that was done since is written down. */
  #nothingSinceMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  did(undo: () => void): void {
    this.#entries.push({ atMs: this.#clock.monotonic(), undo });
    if (this.#entries.length % TIDY_EVERY !== 0) return;
    const since = this.#since(REMEMBERED_MS);
    this.#entries = this.#entries.filter(({ atMs }) => atMs >= since);
  }

  /** From now on nothing is written down, until all of it is forgotten. */
  stop(): void {
    this.#entries = [];
    this.#nothingSinceMs = this.#clock.monotonic();
  }

  /** Undoes what is younger, the newest first. */
  forget(ms: number): void {
    const since = this.#since(ms);
    for (const { atMs, undo } of this.#entries.toReversed()) {
      if (atMs < since) break;
      undo();
    }
    this.#entries = [];
    this.#nothingSinceMs = Number.POSITIVE_INFINITY;
  }

  #since(ms: number): number {
    const now = this.#clock.monotonic();
    return Math.min(this.#nothingSinceMs, now - Math.min(ms, REMEMBERED_MS));
  }
}
