import type { Clock, Timer } from "@millrace/core";

/** A timer that lets the process end before it fires. */
export function quietTimer(clock: Clock, delayMs: number, fire: () => void): Timer {
  return quietly(clock.setTimer(delayMs, fire));
}

/**
 * Calls `fire` every so often until it is cancelled. What a stalled event loop missed is one call.
 */
export function every(clock: Clock, periodMs: number, fire: () => void): Timer {
  return new Ticker(clock, periodMs, fire);
}

/** Lets the process end before it fires. */
export function quietly(timer: Timer): Timer {
  timer.unref?.();
  return timer;
}

export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => void clock.setTimer(delayMs, resolve));
}

/** The same, and the process may end meanwhile. */
export function quietSleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => void quietTimer(clock, delayMs, resolve));
}

class Ticker implements Timer {
  readonly #clock: Clock;
  readonly #periodMs: number;
  readonly #fire: () => void;
  #quiet = false;
  #next: Timer;

  constructor(clock: Clock, periodMs: number, fire: () => void) {
    this.#clock = clock;
    this.#periodMs = periodMs;
    this.#fire = fire;
    this.#next = this.#arm();
  }

  cancel(): void {
    this.#next.cancel();
  }

  unref(): void {
    this.#quiet = true;
    this.#next.unref?.();
  }

  #arm(): Timer {
    const timer = this.#clock.setTimer(this.#periodMs, () => {
      // Set before the call, which may cancel it.
      this.#next = this.#arm();
      this.#fire();
    });
    if (this.#quiet) timer.unref?.();
    return timer;
  }
}
