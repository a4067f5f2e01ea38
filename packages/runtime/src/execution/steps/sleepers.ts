import type { Clock, Outcome, Timer } from "@millrace/core";
import type { AbortReason } from "../attempt/abort-switch.ts";
import type { ExecutionHost } from "../execution-host.ts";
import { outcomeOfAbort } from "../interpret.ts";

export interface SleepersListener {
  /** Whether nothing but sleeping is left to do. */
  isIdle(): boolean;
  /** Nothing else is left to do until then, epoch milliseconds. */
  allAsleep(untilMs: number): void;
}

interface Sleeper {
  readonly untilMs: number;
  readonly wake: () => void;
  readonly timer: Timer;
}

/**
 * The sleeps that a handler waits for. One beside steps that are under way wakes here; where
 * nothing else is left to do its owner is told, a turn later: the handler may yet begin another
 * step.
 */
export class Sleepers {
  readonly #clock: Clock;
  readonly #listener: SleepersListener;
  readonly #asleep = new Set<Sleeper>();
  #looking: Timer | undefined;

  constructor(clock: Clock, listener: SleepersListener) {
    this.#clock = clock;
    this.#listener = listener;
  }

  /** @param atMost milliseconds after which it wakes in any case, if it is still here then */
  sleep(untilMs: number, atMost = Infinity): Promise<void> {
    const remainingMs = untilMs - this.#clock.now();
    if (remainingMs <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const wakeMs = Math.min(remainingMs, atMost);
      const timer = this.#clock.setTimer(wakeMs, () => this.#wake(sleeper));
      const sleeper: Sleeper = { untilMs, wake: resolve, timer };
      this.#asleep.add(sleeper);
      this.look();
    });
  }

  /** Whether all sleep now is looked at when this turn is over. */
  look(): void {
    if (this.#asleep.size === 0 || this.#looking !== undefined) return;
    this.#looking = this.#clock.setTimer(0, () => {
      this.#looking = undefined;
      this.#decide();
    });
  }

  /** Resolves in a later turn. */
  turn(): Promise<void> {
    return new Promise((resolve) => this.#clock.setTimer(0, resolve));
  }

  /** Nobody is woken any more. */
  clear(): void {
    for (const { timer } of this.#asleep) timer.cancel();
    this.#asleep.clear();
    this.#looking?.cancel();
    this.#looking = undefined;
  }

  #decide(): void {
    if (this.#asleep.size === 0 || !this.#listener.isIdle()) return;
    const first = Math.min(...[...this.#asleep].map(({ untilMs }) => untilMs));
    if (first > this.#clock.now()) this.#listener.allAsleep(first);
  }

  #wake(sleeper: Sleeper): void {
    if (!this.#asleep.delete(sleeper)) return;
    sleeper.wake();
    this.look();
  }
}

/**
 * How an attempt ends whose handler sleeps: as a snooze, also where the node only hands it back.
 *
 * @param reason why it was told to stop, if it was
 */
export function outcomeOfSleep(
  { broker, clock }: ExecutionHost,
  reason: AbortReason | undefined,
  untilMs: number,
): Outcome {
  const isHandedBack = reason?.code === "shutdown" || reason?.code === "lock-lost";
  if (reason !== undefined && !isHandedBack) return outcomeOfAbort(reason);
  const delayMs = Math.min(Math.max(untilMs - clock.now(), 1), broker.maxDelayMs);
  return { kind: "snoozed", delayMs };
}

/** Counts what is under way. */
export class UnderWay {
  readonly #onLess: () => void;
  #count = 0;
  #idle: PromiseWithResolvers<void> | undefined;

  /** @param onLess called each time that something is over */
  constructor(onLess: () => void) {
    this.#onLess = onLess;
  }

  get isIdle(): boolean {
    return this.#count === 0;
  }

  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#count += 1;
    try {
      return await work();
    } finally {
      this.#count -= 1;
      if (this.isIdle) this.#idle?.resolve();
      this.#onLess();
    }
  }

  /** Resolves once nothing is. */
  async idle(): Promise<void> {
    if (!this.isIdle) await (this.#idle ??= Promise.withResolvers()).promise;
  }
}
