import type { Clock, Timer } from "./clock.ts";

/** The platform's timers overflow above this many milliseconds and would fire at once. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer: (delayMs, fire) => new SystemTimer(delayMs, fire),
};

class SystemTimer implements Timer {
  #handle: NodeJS.Timeout | undefined;

  constructor(delayMs: number, fire: () => void) {
    this.#arm(delayMs, fire);
  }

  cancel(): void {
    clearTimeout(this.#handle);
    this.#handle = undefined;
  }

  #arm(delayMs: number, fire: () => void): void {
    const step = Math.min(delayMs, LONGEST_TIMEOUT_MS);
    this.#handle = setTimeout(() => {
      if (delayMs > step) this.#arm(delayMs - step, fire);
      else fire();
    }, step);
  }
}
