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

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  did(undo: () => void): void {
    this.#entries.push({ atMs: this.#clock.monotonic(), undo });
    if (this.#entries.length % TIDY_EVERY !== 0) return;
    const since = this.#clock.monotonic() - REMEMBERED_MS;
    this.#entries = this.#entries.filter(({ atMs }) => atMs >= since);
  }

  /** Undoes what is younger, the newest first. */
  forget(ms: number): void {
    const since = this.#clock.monotonic() - Math.min(ms, REMEMBERED_MS);
    for (const { atMs, undo } of this.#entries.toReversed()) {
      if (atMs < since) break;
      undo();
    }
    this.#entries = [];
  }
}
