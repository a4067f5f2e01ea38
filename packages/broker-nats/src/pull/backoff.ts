import type { Clock, Timer } from "@millrace/core";

const FIRST_MS = 100;
const LONGEST_MS = 5_000;
/** What is between two leaders is asked again at least this often. */
export const ELECTION_MS = 1_000;

/**
 * A wait before another try. It grows with every failure in a row, and differs between nodes.
 */
export class Backoff {
  readonly #clock: Clock;
  readonly #random: () => number;
  #failures = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  get isWaiting(): boolean {
    return this.#timer !== undefined;
  }

  /** Something went well. A wait under way goes on. */
  reset(): void {
    this.#failures = 0;
  }

  /** In place of a wait under way. */
  wait(then: () => void, longestMs = LONGEST_MS): void {
    this.cancel();
    const longest = Math.min(longestMs, FIRST_MS * 2 ** this.#failures);
    this.#failures += 1;
    this.#timer = this.#clock.setTimer(longest / 2 + (this.#random() * longest) / 2, () => {
      this.#timer = undefined;
      then();
    });
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
