import { type Clock, systemClock, type Timer } from "@millrace/core";
import { quietTimer } from "../machine/timers.ts";

/**
 * Says when all slots have been taken for a while. Full and free again are told many thousand times
 * a second, so they set no timer.
 */
export class SaturationMonitor {
  readonly #clock: Clock;
  readonly #patienceMs: number;
  readonly #onLasting: () => void;
  #sinceMs: number | undefined;
  #timer: Timer | undefined;

  constructor(patienceMs: number, onLasting: () => void, clock: Clock = systemClock) {
    this.#clock = clock;
    this.#patienceMs = patienceMs;
    this.#onLasting = onLasting;
  }

  full(): void {
    if (this.#sinceMs !== undefined) return;
    this.#sinceMs = this.#clock.monotonic();
    this.#timer ??= this.#watch(this.#patienceMs);
  }

  free(): void {
    this.#sinceMs = undefined;
  }

  close(): void {
    this.#sinceMs = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #watch(delayMs: number): Timer {
    return quietTimer(this.#clock, delayMs, () => this.#look());
  }

  #look(): void {
    this.#timer = undefined;
    if (this.#sinceMs === undefined) return;
    const leftMs = this.#sinceMs + this.#patienceMs - this.#clock.monotonic();
    if (leftMs > 0) this.#timer = this.#watch(leftMs);
    else this.#onLasting();
  }
}
