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
  #isQuiet = false;

  constructor(delayMs: number, fire: () => void) {
    this.#arm(delayMs, fire);
  }

  cancel(): void {
    clearTimeout(this.#handle);
    this.#handle = undefined;
  }

  unref(): void {
    this.#isQuiet = true;
    this.#handle?.unref();
  }

  #arm(delayMs: number, fire: () => void): void {
    this.#handle =
      delayMs <= LONGEST_TIMEOUT_MS
        ? setTimeout(fire, delayMs)
        : setTimeout(() => this.#arm(delayMs - LONGEST_TIMEOUT_MS, fire), LONGEST_TIMEOUT_MS);
    if (this.#isQuiet) this.#handle.unref();
  }
}
