/** Several scrapers, or a scrape and an export, share a reading. */
export const FRESH_MS = 5_000;
/**
 * Readings take this share of the time at most, however long the server needs for them. One long
 * reading may be an election, which is no work.
 */
const LARGEST_SHARE = 0.05;

/** How long a reading of all queues is good for. */
export class ReadingPace {
  /** The last reading that succeeded. */
  #tookBeforeMs = 0;

  /** @returns how long nothing is read after a reading that took so long, milliseconds */
  restAfter(tookMs: number): number {
    const restMs = Math.max(FRESH_MS, Math.min(tookMs, this.#tookBeforeMs) / LARGEST_SHARE);
    this.#tookBeforeMs = tookMs;
    return restMs;
  }
}
