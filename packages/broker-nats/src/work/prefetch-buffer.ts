import { type Clock, type LaneName, systemClock, type Timer } from "@millrace/core";
import { quietTimer } from "../machine/timers.ts";
import type { NatsDelivery } from "./nats-delivery.ts";

interface Entry {
  readonly lane: LaneName;
  readonly delivery: NatsDelivery;
  readonly sinceMs: number;
}

/** How long a job may wait for a slot here. Another node may have one free. */
const PATIENCE_MS = 1_000;

/**
 * Deliveries that arrived when no slot was free. Their leases are kept. Each gets a slot that is
 * freed; one that got none in time is surplus, where the owner takes surplus, and otherwise goes on
 * waiting.
 */
export class PrefetchBuffer {
  readonly #onSurplus: ((delivery: NatsDelivery, lane: LaneName) => void) | undefined;
  readonly #clock: Clock;
  #entries: Entry[] = [];
  #timer: Timer | undefined;

  constructor(
    onSurplus: ((delivery: NatsDelivery, lane: LaneName) => void) | undefined,
    clock: Clock = systemClock,
  ) {
    this.#clock = clock;
    this.#onSurplus = onSurplus;
  }

  get size(): number {
    return this.#entries.length;
  }

  has(lane: LaneName): boolean {
    return this.#entries.some((entry) => entry.lane === lane);
  }

  put(lane: LaneName, delivery: NatsDelivery): void {
    this.#entries.push({ lane, delivery, sinceMs: this.#clock.monotonic() });
    this.#watch();
  }

  /** The lane's first, whose lease is still held; what was lost meanwhile is another's by now. */
  take(lane: LaneName): NatsDelivery | undefined {
    for (;;) {
      const at = this.#entries.findIndex((entry) => entry.lane === lane);
      if (at < 0) return undefined;
      const [entry] = this.#entries.splice(at, 1);
      if (entry?.delivery.lease.isHeld() === true) return entry.delivery;
    }
  }

  /** Everything, in the order of arrival; nothing is surplus any more. */
  clear(): readonly NatsDelivery[] {
    this.#timer?.cancel();
    this.#timer = undefined;
    return this.#entries.splice(0).map(({ delivery }) => delivery);
  }

  /** Makes surplus of what has waited for so long, where the owner takes surplus. */
  sortOut(patienceMs: number): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#onSurplus === undefined) return;
    const until = this.#clock.monotonic() - patienceMs;
    const surplus = this.#entries.filter(({ sinceMs }) => sinceMs <= until);
    this.#entries = this.#entries.filter(({ sinceMs }) => sinceMs > until);
    for (const { delivery, lane } of surplus)
      if (delivery.lease.isHeld()) this.#onSurplus(delivery, lane);
    this.#watch();
  }

  #watch(): void {
    const [first] = this.#entries;
    if (first === undefined || this.#onSurplus === undefined || this.#timer !== undefined) return;
    const leftMs = first.sinceMs + PATIENCE_MS - this.#clock.monotonic();
    this.#timer = quietTimer(this.#clock, Math.max(1, leftMs), () => this.sortOut(PATIENCE_MS));
  }
}
