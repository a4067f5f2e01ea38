import type { Clock } from "@millrace/core";

const MOST = 10;
const WINDOW_MS = 60_000;
/** What is kept of more addresses than these is forgotten, the oldest first. */
const ADDRESSES = 10_000;

/**
 * How often each address gave a wrong password. An address that did so ten times within a minute is
 * refused until the minute is over, whatever it sends.
 */
export class FailedLogins {
  readonly #clock: Clock;
  readonly #failed = new Map<string, { count: number; readonly untilMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(address: string): void {
    const now = this.#clock.monotonic();
    const known = this.#failed.get(address);
    if (known !== undefined && known.untilMs > now) return void (known.count += 1);
    this.#failed.delete(address);
    this.#failed.set(address, { count: 1, untilMs: now + WINDOW_MS });
    if (this.#failed.size <= ADDRESSES) return;
    for (const oldest of this.#failed.keys()) return void this.#failed.delete(oldest);
  }

  /** For so many milliseconds nothing is taken from it; 0: it is listened to. */
  lockedMs(address: string): number {
    const known = this.#failed.get(address);
    if (known === undefined || known.count < MOST) return 0;
    return Math.max(0, known.untilMs - this.#clock.monotonic());
  }
}
