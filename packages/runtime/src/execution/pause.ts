import type { Clock, Timer } from "@millrace/core";

const STEPS_MS = [50, 200, 500, 1_000, 2_000] as const;

/**
 * Waits between two tries, a little longer each time, until its owner has no more use for waiting.
 */
export class Pause {
  readonly #clock: Clock;
  #waiting: { readonly timer: Timer; readonly resolve: () => void } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param tries how often it was tried before, from 0 */
  wait(tries: number): Promise<void> {
    const ms = STEPS_MS[Math.min(tries, STEPS_MS.length - 1)] ?? 0;
    return new Promise((resolve) => {
      this.#waiting = { resolve, timer: this.#clock.setTimer(ms, () => this.cutShort()) };
    });
  }

  /** Ends a wait that is under way now. */
  cutShort(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    waiting.timer.cancel();
    waiting.resolve();
  }
}
