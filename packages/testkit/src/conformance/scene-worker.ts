import type {
  Broker,
  Delivery,
  LaneName,
  LaneWeights,
  SettlementStep,
  WorkSubscription,
} from "@millrace/core";
import type { ConformanceHarness } from "./harness.ts";

export interface SceneWorkerOptions {
  readonly broker?: Broker;
  readonly queue?: string;
  /** Default 10. */
  readonly slots?: number;
  /** Ack each delivery as it comes. */
  readonly acks?: boolean;
  readonly weights?: Partial<LaneWeights>;
}

/**
 * A worker that keeps account: what came, what it holds, and the most it ever held. Where leaders
 * die an ack may die with one, and its job comes again: then it is acked again, as a node does, and
 * counts no more.
 */
export class SceneWorker {
  readonly queue: string;
  readonly deliveries: Delivery[] = [];
  readonly #broker: Broker;
  readonly #harness: ConformanceHarness;
  readonly #held = new Set<Delivery>();
  readonly #acked = new Set<string>();
  readonly #acks: boolean;
  readonly #settling = new Set<Promise<void>>();
  readonly #failures: unknown[] = [];
  #subscription: WorkSubscription | undefined;
  slots: number;
  mostHeld = 0;

  private constructor(
    broker: Broker,
    queue: string,
    harness: ConformanceHarness,
    options: SceneWorkerOptions,
  ) {
    this.#broker = broker;
    this.queue = queue;
    this.#harness = harness;
    this.slots = options.slots ?? 10;
    this.#acks = options.acks ?? false;
  }

  static async start(
    broker: Broker,
    queue: string,
    harness: ConformanceHarness,
    options: SceneWorkerOptions,
  ): Promise<SceneWorker> {
    const worker = new SceneWorker(broker, queue, harness, options);
    worker.#subscription = await broker.work(queue, {
      leaseMs: harness.leaseMs,
      ...(options.weights === undefined ? {} : { weights: options.weights }),
      freeSlots: () => Math.max(0, worker.slots - worker.#held.size),
      onDelivery: (delivery) => worker.#take(delivery),
    });
    return worker;
  }

  get subscription(): WorkSubscription {
    if (this.#subscription === undefined)
      throw new Error("A delivery was made before work() had returned its subscription.");
    return this.#subscription;
  }

  /** The n-th delivery, counted from 0. */
  delivery(index: number): Promise<Delivery> {
    return this.#harness.eventually(
      `delivery ${index} (there were ${this.deliveries.length})`,
      () => this.deliveries[index],
    );
  }

  /** The bodies' message ids, in the order of arrival. */
  get messageIds(): readonly (string | undefined)[] {
    return this.deliveries.map(({ message }) => message.headers["nats-msg-id"]);
  }

  /** The lanes of the deliveries, in the order of arrival. */
  get lanes(): readonly LaneName[] {
    return this.deliveries.map(({ message }) => message.lane ?? "normal");
  }

  /** How many of the first so many deliveries came from each lane. */
  sharesOf(first: number): Readonly<Record<LaneName, number>> {
    const shares: Record<LaneName, number> = { high: 0, normal: 0, low: 0 };
    for (const lane of this.lanes.slice(0, first)) shares[lane] += 1;
    return shares;
  }

  async settle(delivery: Delivery, ...steps: readonly SettlementStep[]): Promise<void> {
    await this.#broker.settle(delivery, steps);
    this.#held.delete(delivery);
    if (steps.some((step) => step.do === "ack")) this.#acked.add(placeOf(delivery));
    this.#subscription?.slotFreed();
  }

  async ack(delivery: Delivery): Promise<void> {
    await this.settle(delivery, { do: "ack" });
  }

  slotFreed(): void {
    this.#subscription?.slotFreed();
  }

  /** Ends, and fails if an ack of its own did. */
  async stop(): Promise<void> {
    await this.#subscription?.stop();
    await Promise.all(this.#settling);
    if (this.#failures.length > 0) throw this.#failures[0];
  }

  #take(delivery: Delivery): void {
    const again = this.#harness.leadersDie === true && this.#acked.has(placeOf(delivery));
    if (!again) this.deliveries.push(delivery);
    this.#held.add(delivery);
    this.mostHeld = Math.max(this.mostHeld, this.#held.size);
    if (!this.#acks && !again) return;
    const settling: Promise<void> = this.ack(delivery)
      .catch((error: unknown) => void this.#failures.push(error))
      .finally(() => this.#settling.delete(settling));
    this.#settling.add(settling);
  }
}

/** The time as well as the sequence: some brokers count from 1 in a queue that is made again. */
function placeOf({ message }: Delivery): string {
  return `${message.sequence} ${message.storedAt}`;
}
