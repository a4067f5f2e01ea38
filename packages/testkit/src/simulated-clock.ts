import { setImmediate } from "node:timers";
import { type Clock, type Duration, type Timer, toMs } from "@millrace/core";

/**
 * Promise chains end within one turn of the event loop; code that itself yields with `setImmediate`
 * takes a turn each.
 */
const TURNS_TO_SETTLE = 3;
/** Weeks of upkeep are a million timers: a turn of the event loop for each is most of the work. */
const TIMERS_A_TURN = 32;
/** More timers than this at one instant means that one sets itself again with no delay. */
const MAX_TIMERS_AT_ONE_INSTANT = 100_000;

interface PendingTimer extends Timer {
  readonly dueMs: number;
  readonly fire: () => void;
}

/**
 * A clock that stands still until a test moves it. Timers fire in the order of their times, and
 * between two of them everything that waits on promises gets its turn.
 *
 * @example
 * const clock = new SimulatedClock();
 * const node = startNode({ clock });
 * await clock.advance("30s");
 */
export class SimulatedClock implements Clock {
  #monotonicMs = 0;
  #wallOffsetMs: number;
  #advancing = false;
  /** In the order they were set, so that timers of one instant fire in that order. */
  readonly #timers = new Set<PendingTimer>();

  /** @param startMs the wall clock's first reading, epoch milliseconds */
  constructor(startMs: number = Date.UTC(2030, 0, 1)) {
    this.#wallOffsetMs = startMs;
  }

  now(): number {
    // Timers may be set to fractions; a wall clock shows whole milliseconds.
    return Math.floor(this.#wallOffsetMs + this.#monotonicMs);
  }

  monotonic(): number {
    return this.#monotonicMs;
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    const timer: PendingTimer = {
      dueMs: this.#monotonicMs + Math.max(0, delayMs),
      fire,
      cancel: () => void this.#timers.delete(timer),
    };
    this.#timers.add(timer);
    return timer;
  }

  /** Timers that are set and have neither fired nor been cancelled. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Milliseconds until the next timer, or undefined where none is set. */
  get nextTimerInMs(): number | undefined {
    const next = this.#next(Number.POSITIVE_INFINITY);
    return next === undefined ? undefined : next.dueMs - this.#monotonicMs;
  }

  /**
   * Moves time on and fires what falls due on the way, also timers that are set meanwhile. Ends
   * when nothing is left to run. `advance(0)` only lets what is under way come to rest.
   *
   * @param passing where nothing but the upkeep of a node is passed: promises have their turn after
   *   each timer, the event loop after some, and time stops as soon as `isEnough` says so
   * @throws what a timer's callback throws; Error when called while an earlier call is under way
   */
  async advance(duration: Duration, passing?: { isEnough(): boolean }): Promise<void> {
    if (this.#advancing)
      throw new Error(
        "SimulatedClock.advance() is under way already: await it before advancing again.",
      );
    this.#advancing = true;
    try {
      const untilMs = this.#monotonicMs + toMs(duration, "advance()");
      await settled();
      let atThisInstant = 0;
      let fired = 0;
      for (let next = this.#next(untilMs); next !== undefined; next = this.#next(untilMs)) {
        atThisInstant = next.dueMs > this.#monotonicMs ? 1 : atThisInstant + 1;
        if (atThisInstant > MAX_TIMERS_AT_ONE_INSTANT)
          throw new Error("A timer keeps setting itself again with no delay.");
        this.#monotonicMs = Math.max(this.#monotonicMs, next.dueMs);
        this.#timers.delete(next);
        next.fire();
        if (passing === undefined) await settled();
        else {
          fired += 1;
          await (fired % TIMERS_A_TURN === 0 ? settled(1) : promisesSettled());
          if (passing.isEnough()) return;
        }
      }
      this.#monotonicMs = untilMs;
    } finally {
      this.#advancing = false;
    }
  }

  /**
   * Steps the wall clock alone, forwards or back, as an administrator or NTP does. Timers do not
   * notice.
   */
  jump(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  #next(untilMs: number): PendingTimer | undefined {
    let first: PendingTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs <= untilMs && (first === undefined || timer.dueMs < first.dueMs))
        first = timer;
    }
    return first;
  }
}

/** What waits for promises alone has come to rest: a tick comes after the last of them. */
function promisesSettled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

async function settled(turns = TURNS_TO_SETTLE): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1)
    await new Promise<void>((resolve) => setImmediate(resolve));
}
