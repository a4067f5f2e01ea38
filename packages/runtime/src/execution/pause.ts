import type { Clock } from "@millrace/core";

const STEPS_MS = [50, 200, 500, 1_000, 2_000] as const;

/**
 * Waits between two tries, a little longer each time, until its owner has no more use for waiting.
 */
export class Pause {
  readonly #clock: Clock;
  /** What ends the waits under way: a step that was interrupted may wait beside the next one. */
  readonly #ends = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param tries how often it was tried before, from 0 */
  wait(tries: number): Promise<void> {
    const ms = STEPS_MS[Math.min(tries, STEPS_MS.length - 1)] ?? 0;
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        this.#ends.delete(end);
        resolve();
      };
      const timer = this.#clock.setTimer(ms, end);
      this.#ends.add(end);
    });
  }

  /** Ends all waits that are under way now. */
  cutShort(): void {
    for (const end of this.#ends) end();
  }
}
