import type { Clock, Stoppable, Timer } from "@millrace/core";

type StandstillClock = Pick<Clock, "monotonic" | "setTimer">;

/** So often in the time that counts as a standstill. */
const LOOKS = 4;

/**
 * Notices that the process stood still: that it was stopped, or its event loop was stalled. What
 * lay in its socket meanwhile looks as fresh as what comes now, and may have been another node's
 * since.
 */
export class Standstill {
  readonly #clock: StandstillClock;
  readonly #longestMs: number;
  readonly #onPassed: () => void;
  #lookedAt: number;
  #timer: Timer | undefined;

  /**
   * @param longestMs what takes no longer does no harm
   * @param onPassed told at the first look after it
   */
  constructor(clock: StandstillClock, longestMs: number, onPassed: () => void) {
    this.#clock = clock;
    this.#longestMs = longestMs;
    this.#onPassed = onPassed;
    this.#lookedAt = clock.monotonic();
  }

  open(): Stoppable {
    this.#lookedAt = this.#clock.monotonic();
    this.#lookLater();
    return { stop: async () => this.#timer?.cancel() };
  }

  /**
   * Asked for every job, so it is cheap: a timer that is due may come after what lay in the socket.
   */
  look(): void {
    const now = this.#clock.monotonic();
    const passedMs = now - this.#lookedAt;
    this.#lookedAt = now;
    if (this.#timer !== undefined && passedMs > this.#longestMs) this.#onPassed();
  }

  #lookLater(): void {
    this.#timer = this.#clock.setTimer(this.#longestMs / LOOKS, () => {
      this.look();
      this.#lookLater();
    });
    this.#timer.unref?.();
  }
}
