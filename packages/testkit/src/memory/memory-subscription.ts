import {
  type Clock,
  type Delivery,
  LaneTurns,
  laneWeights,
  type SettlementStep,
  type WorkOptions,
  type WorkSubscription,
} from "@millrace/core";
import type { Connection } from "./connection.ts";
import { MemoryLease } from "./memory-lease.ts";
import type { Consumer, Hold, MemoryQueue } from "./memory-queue.ts";

/** A job in a worker's hands, and what the broker needs to settle it. */
export class MemoryDelivery implements Delivery {
  readonly message: Delivery["message"];
  readonly deliveryCount: number;
  readonly lease: MemoryLease;
  readonly queue: MemoryQueue;
  readonly hold: Hold;
  /** Written by the broker. */
  confirmed: readonly SettlementStep[] | undefined;

  constructor(queue: MemoryQueue, hold: Hold, lease: MemoryLease) {
    this.message = hold.message;
    this.deliveryCount = hold.deliveryCount;
    this.lease = lease;
    this.queue = queue;
    this.hold = hold;
    this.confirmed = undefined;
  }
}

interface SubscriptionOptions {
  readonly queue: MemoryQueue;
  readonly work: WorkOptions;
  readonly clock: Clock;
  readonly connection: Connection;
  /** Told of each delivery before the worker is. */
  readonly onHandedOut: (delivery: MemoryDelivery) => void;
}

/** One worker's place at a queue: `working`, `paused` or, for good, `stopped`. */
export class MemorySubscription implements WorkSubscription, Consumer {
  readonly leaseMs: number;
  readonly turns: LaneTurns;
  readonly #options: SubscriptionOptions;
  #state: "working" | "paused" | "stopped" = "working";
  #lastActivity: number;

  constructor(options: SubscriptionOptions) {
    this.#options = options;
    this.leaseMs = options.work.leaseMs;
    this.turns = new LaneTurns(laneWeights(options.work.weights));
    this.#lastActivity = options.clock.monotonic();
    options.queue.join(this);
  }

  /** Memory always answers; only a cut connection is silent. */
  get lastActivity(): number {
    if (this.#options.connection.isConnected) this.#lastActivity = this.#options.clock.monotonic();
    return this.#lastActivity;
  }

  freeSlots(): number {
    return this.#state === "working" && this.#options.connection.isConnected
      ? this.#options.work.freeSlots()
      : 0;
  }

  accept(hold: Hold): void {
    const { queue, work, clock, connection, onHandedOut } = this.#options;
    const lease = new MemoryLease({
      clock,
      leaseMs: work.leaseMs,
      extend: () => {
        if (!connection.isConnected) return "unreachable";
        return queue.extend(hold, work.leaseMs) ? "confirmed" : "refused";
      },
    });
    const delivery = new MemoryDelivery(queue, hold, lease);
    onHandedOut(delivery);
    work.onDelivery(delivery);
  }

  slotFreed(): void {
    if (this.#state === "working") this.#options.queue.wake();
  }

  async pause(): Promise<void> {
    if (this.#state === "working") this.#state = "paused";
  }

  resume(): void {
    if (this.#state !== "paused") return;
    this.#state = "working";
    this.#options.queue.wake();
  }

  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#options.queue.leave(this);
  }
}
