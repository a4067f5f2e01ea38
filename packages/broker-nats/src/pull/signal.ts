import type { Clock } from "@millrace/core";

/** Something that several may wait for. */
export class Signal {
  readonly #clock: Clock;
  /** Set while somebody waits. */
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ends all waits that are under way. */
  give(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  /** Resolves when it is given next, or after so long. */
  async within(ms: number): Promise<void> {
    this.#waiting ??= Promise.withResolvers();
    const over = Promise.withResolvers<void>();
    const timer = this.#clock.setTimer(ms, over.resolve);
    await Promise.race([this.#waiting.promise, over.promise]);
    timer.cancel();
  }
}
