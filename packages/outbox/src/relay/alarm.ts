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

  /** @returns whether it was rung */
  async wait(ms: number): Promise<boolean> {
    if (!this.#rung) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = this.#clock.setTimer(ms, resolve);
      this.#wake = resolve;
      await promise;
      timer.cancel();
      this.#wake = undefined;
    }
    const wasRung = this.#rung;
    this.#rung = false;
    return wasRung;
  }
}
