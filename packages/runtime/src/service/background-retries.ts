import type { Clock, Timer } from "@millrace/core";

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 1_000;

/**
 * Does again what nobody waits for and an outage kept from being done, until it is done, of no use
 * any more, or the node stops. So what could not be given back is free soon after the server is
 * there again, and not when its lease is over.
 */
export class BackgroundRetries {
  readonly #clock: Clock;
  readonly #pauses = new Map<Timer, () => void>();
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Never rejects.
   *
   * @param act tried first after a pause, because it has failed just now
   * @param forMs after this it is of no use: a lease is over
   */
  async run(act: () => Promise<void>, forMs: number): Promise<void> {
    const untilMs = this.#clock.monotonic() + forMs;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
      await this.#pause(pauseMs);
      if (this.#closed || this.#clock.monotonic() >= untilMs) return;
      try {
        return await act();
      } catch {
        // It was logged when it failed first.
      }
    }
  }

  close(): void {
    this.#closed = true;
    for (const [timer, wake] of this.#pauses) {
      timer.cancel();
      wake();
    }
    this.#pauses.clear();
  }

  #pause(ms: number): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(ms, () => {
        this.#pauses.delete(timer);
        resolve();
      });
      this.#pauses.set(timer, resolve);
    });
  }
}
