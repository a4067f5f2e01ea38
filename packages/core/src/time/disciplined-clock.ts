import type { Clock, Timer } from "./clock.ts";
import { CLOCK_OFF_MS } from "./clock-slack.ts";

/** Wall clocks and servers tell whole milliseconds. */
const RESOLUTION_MS = 1;
/** More than this between the wall clock and the monotonic one: the wall clock was set. */
const STEP_MS = 250;

/**
 * A clock whose wall time follows a server's, for what is written down: stamps, start times, ticks.
 * Timers and the monotonic clock are the machine's own, untouched.
 *
 * - Where the server's answer leaves room for the machine to be right, nothing is corrected. So
 *   times on one machine don't move because an answer was slow.
 * - When somebody sets the machine's clock, the time goes on as before, and `onStep` asks for
 *   another look at the server.
 * - The time does not go back. A correction back by up to five seconds is waited out: the time
 *   stands still meanwhile. Only a server whose own clock was set back by more takes it back too.
 *
 * Until the first answer it is the machine's clock.
 *
 * @example
 * const clock = new DisciplinedClock(systemClock);
 * await clock.ask(() => broker.serverNow());
 * clock.now(); // by the server's clock, also where the machine's is ten minutes off
 */
export class DisciplinedClock implements Clock {
  readonly #own: Clock;
  /** Whole milliseconds, added to the wall clock. Written by `ask` and by a step. */
  #correctionMs = 0;
  /** The wall clock when the monotonic one was 0. Written when the wall clock was set. */
  #wallBaseMs: number;
  #lastMs = -Infinity;
  /** When it was last read. */
  #wallMs = -Infinity;
  #isKnown = false;
  #onStep: (() => void) | undefined;

  constructor(own: Clock) {
    this.#own = own;
    this.#wallBaseMs = own.now() - own.monotonic();
  }

  now(): number {
    const time = this.#read();
    const backMs = this.#lastMs - time;
    if (backMs > 0 && backMs <= CLOCK_OFF_MS) return this.#lastMs;
    this.#lastMs = time;
    return time;
  }

  monotonic(): number {
    return this.#own.monotonic();
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    return this.#own.setTimer(delayMs, fire);
  }

  /** How far the machine's clock is ahead of the server's, milliseconds; negative: behind. */
  get aheadMs(): number {
    // Not -0, which is another value to whoever compares.
    return 0 - this.#correctionMs;
  }

  /** Whether the server has ever said what time it is. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** Called when the machine's clock was set: the server has to be asked again. One listener. */
  onStep(listener: () => void): void {
    this.#onStep = listener;
  }

  /**
   * Asks the server once, and follows what it says.
   *
   * @param serverNow the server's time, epoch milliseconds
   * @returns what the server said, and how long it took, milliseconds
   * @throws what `serverNow` throws
   */
  async ask(
    serverNow: () => Promise<number>,
  ): Promise<{ readonly serverMs: number; readonly tookMs: number }> {
    const askedMs = this.#read();
    const serverMs = await serverNow();
    const answeredMs = this.#read();
    this.#follow(serverMs - answeredMs - RESOLUTION_MS, serverMs - askedMs + RESOLUTION_MS);
    return { serverMs, tookMs: answeredMs - askedMs };
  }

  /** The server is ahead of what is told here by something between these two. */
  #follow(leastMs: number, mostMs: number): void {
    if (leastMs > 0 || mostMs < 0) this.#correctionMs += Math.round((leastMs + mostMs) / 2);
    // What was told before anybody knew better is nobody's measure.
    if (!this.#isKnown) this.#lastMs = -Infinity;
    this.#isKnown = true;
  }

  #read(): number {
    const wallMs = this.#own.now();
    // Asked many times in a millisecond: the other clock costs as much as this one.
    if (wallMs === this.#wallMs) return wallMs + this.#correctionMs;
    this.#wallMs = wallMs;
    const steppedMs = wallMs - this.#own.monotonic() - this.#wallBaseMs;
    if (Math.abs(steppedMs) > STEP_MS) {
      this.#wallBaseMs += steppedMs;
      // Without a server's word the machine's is all there is.
      if (this.#isKnown) {
        this.#correctionMs -= Math.round(steppedMs);
        this.#onStep?.();
      }
    }
    return wallMs + this.#correctionMs;
  }
}
