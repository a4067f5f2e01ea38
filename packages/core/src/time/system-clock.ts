import type { Clock, Timer } from "./clock.ts";

/** The platform's timers overflow above this many milliseconds and would fire at once. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer: (delayMs, fire) => (delayMs > 0 ? new SystemTimer(delayMs, fire) : new NextTurn(fire)),
};

/** Of no delay: in the next turn of the event loop, and not a millisecond later. */
class NextTurn implements Timer {
  readonly #handle: NodeJS.Immediate;

  constructor(fire: () => void) {
    this.#handle = setImmediate(fire);
  }

  cancel(): void {
    clearImmediate(this.#handle);
  }

  unref(): void {
    this.#handle.unref();
  }
}

/**
 * Shorter ones are armed at once. Longer ones when the turn of the event loop ends: nearly all are
 * timeouts of what ends within it, and are cancelled before they cost anything.
 */
const ARMED_AT_ONCE_MS = 1_000;
let unarmed: SystemTimer[] = [];

class SystemTimer implements Timer {
  readonly #fire: () => void;
  #leftMs: number;
  #isCancelled = false;
  #isQuiet = false;
  #handle: NodeJS.Timeout | undefined;

  constructor(delayMs: number, fire: () => void) {
    this.#fire = fire;
    this.#leftMs = delayMs;
    if (delayMs < ARMED_AT_ONCE_MS) this.arm();
    else if (unarmed.push(this) === 1) setImmediate(armAll);
  }

  cancel(): void {
    this.#isCancelled = true;
    if (this.#handle === undefined) return;
    clearTimeout(this.#handle);
    this.#handle = undefined;
  }

  unref(): void {
    this.#isQuiet = true;
    this.#handle?.unref();
  }

  arm(): void {
    if (this.#isCancelled) return;
    const nextMs = Math.min(this.#leftMs, LONGEST_TIMEOUT_MS);
    this.#leftMs -= nextMs;
    this.#handle = setTimeout(this.#leftMs > 0 ? () => this.arm() : this.#fire, nextMs);
    if (this.#isQuiet) this.#handle.unref();
  }
}

function armAll(): void {
  const timers = unarmed;
  unarmed = [];
  for (const timer of timers) timer.arm();
}
