import type { Clock } from "@millrace/core";

/** A wait that others can end. A ring that comes while nobody waits ends the next wait at once. */
export class Alarm {
  readonly #clock: Clock;
  #rung = false;
  #wake: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  async wait(ms: number): Promise<void> {
    if (!this.#rung) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = this.#clock.setTimer(ms, resolve);
      this.#wake = resolve;
      await promise;
      timer.cancel();
      this.#wake = undefined;
    }
    this.#rung = false;
  }
}
