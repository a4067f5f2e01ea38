import type { Delivery, QueueMessage, WorkOptions, WorkSubscription } from "@millrace/core";
import type { SettlementStep } from "@millrace/core";
import { type Interest, type SimQueue, turnsFor } from "../server/sim-queue.ts";
import type { Line } from "./line.ts";
import { SimLease } from "./sim-lease.ts";

/** A job in a worker's hands. */
export class SimDelivery implements Delivery {
  readonly message: QueueMessage;
  readonly deliveryCount: number;
  readonly lease: SimLease;
  /** Steps of its settlement that the server has confirmed. */
  confirmed: readonly SettlementStep[] = [];

  constructor(message: QueueMessage, deliveryCount: number, lease: SimLease) {
    this.message = message;
    this.deliveryCount = deliveryCount;
    this.lease = lease;
  }
}

/**
 * How long a server takes to see that a line is gone; what it hands out meanwhile reaches nobody.
 */
const UNNOTICED_MS = 500;

/**
 * A worker's place at a queue. What it has asked for waits at the server, for as long as the
 * connection.
 */
export class SimSubscription implements WorkSubscription {
  readonly #line: Line;
  readonly #queue: () => SimQueue;
  readonly #name: string;
  readonly #work: WorkOptions;
  #state: "working" | "paused" | "stopped" = "working";
  #interest: Interest | undefined;
  #last = 0;

  constructor(line: Line, name: string, queue: () => SimQueue, work: WorkOptions) {
    this.#line = line;
    this.#name = name;
    this.#queue = queue;
    this.#work = work;
    line.onStatus((status) => {
      if (status === "connected") this.#ask();
      else this.#leave(UNNOTICED_MS);
    });
    line.process.onDeath(() => this.#leave(0));
    this.#ask();
    this.#askAgainLater();
  }

  /**
   * A pull is good for half a lease. One that a server between two leaders never heard is followed
   * by this.
   */
  #askAgainLater(): void {
    this.#line.process.clock.setTimer(this.#work.leaseMs / 2, () => {
      if (this.#state === "stopped") return;
      this.#ask();
      this.#askAgainLater();
    });
  }

  get lastActivity(): number {
    if (this.#line.isConnected) this.#last = this.#line.process.clock.monotonic();
    return this.#last;
  }

  slotFreed(): void {
    this.#ask();
  }

  async pause(): Promise<void> {
    if (this.#state !== "working") return;
    this.#state = "paused";
    await this.#silence();
  }

  resume(): void {
    if (this.#state !== "paused") return;
    this.#state = "working";
    this.#ask();
  }

  async stop(): Promise<void> {
    if (this.#state === "stopped") return;
    this.#state = "stopped";
    await this.#silence();
  }

  /** What was on its way arrives before the answer; where none comes, nothing is on its way. */
  async #silence(): Promise<void> {
    if (!this.#line.isConnected) return;
    await this.#line
      .call({ point: `withdraw ${this.#name}`, act: () => this.#leave(0) })
      .catch(() => {});
  }

  #ask(): void {
    if (this.#state !== "working" || !this.#line.isConnected) return;
    this.#interest ??= this.#newInterest();
    const interest = this.#interest;
    this.#line.send(`pull ${this.#name}`, () => {
      if (interest === this.#interest) this.#queue().ask(interest);
    });
  }

  #newInterest(): Interest {
    const { leaseMs, weights, freeSlots } = this.#work;
    /** Of this interest alone: what the server hands to one that was left arrives nowhere. */
    let underWay = 0;
    return {
      leaseMs,
      turns: turnsFor(weights),
      capacity: () => (this.#state === "working" ? freeSlots() - underWay : 0),
      hand: (message, deliveryCount) => {
        underWay += 1;
        this.#line.deliver(() => {
          underWay -= 1;
          this.#arrive(message, deliveryCount);
        });
      },
    };
  }

  /** @param afterMs the server may see a moment later that nobody is there */
  #leave(afterMs: number): void {
    const interest = this.#interest;
    this.#interest = undefined;
    if (interest === undefined) return;
    const { server } = this.#line;
    server.timeline.plan(afterMs, () => server.queues.get(this.#name)?.withdraw(interest));
  }

  #arrive(message: QueueMessage, deliveryCount: number): void {
    const { leaseMs, onDelivery } = this.#work;
    const { sequence } = message;
    const lease = new SimLease(this.#line, leaseMs, `${this.#name} ${sequence}`, () =>
      this.#queue().extend(sequence, leaseMs),
    );
    onDelivery(new SimDelivery(message, deliveryCount, lease));
  }
}
