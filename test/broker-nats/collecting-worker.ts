import {
  type Broker,
  type Delivery,
  type Envelope,
  readEnvelope,
  UNSETTLED,
  type WorkSubscription,
} from "@millrace/core";
import { cleanUpLater } from "../harness/cleanup.ts";
import { within } from "../harness/deadline.ts";

/** A delivery with the envelope it carries and when it came. */
export interface Collected {
  readonly delivery: Delivery;
  readonly envelope: Envelope;
  readonly at: number;
}

/** A worker that keeps what it gets, and lets a test wait for the n-th. */
export class CollectingWorker {
  readonly got: Collected[] = [];
  readonly #waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  subscription: WorkSubscription | undefined;

  static async start(
    broker: Broker,
    queue: string,
    options: { leaseMs?: number; slots?: number } = {},
  ): Promise<CollectingWorker> {
    const worker = new CollectingWorker();
    const subscription = await broker.work(queue, {
      leaseMs: options.leaseMs ?? 30_000,
      freeSlots: () => options.slots ?? 1_000,
      onDelivery: (delivery) => worker.#take(delivery),
    });
    worker.subscription = subscription;
    cleanUpLater(() => subscription.stop());
    return worker;
  }

  /** The n-th delivery, counted from 1. */
  async nth(count: number, withinMs = 15_000): Promise<Collected> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.got.length >= count) resolve();
    else this.#waiting.push({ count, resolve });
    await within(promise, withinMs, () => `delivery ${count}; there were ${this.got.length}`);
    return this.got[count - 1] as Collected;
  }

  #take(delivery: Delivery): void {
    const read = readEnvelope(delivery.message);
    if (!read.ok) throw new Error(`unreadable: ${read.error.message}`);
    this.got.push({ delivery, envelope: read.envelope, at: Date.now() });
    for (const { count, resolve } of this.#waiting) if (this.got.length >= count) resolve();
  }
}

let jobs = 0;

export function jobFor(queue: string, more: Partial<Envelope> = {}): Envelope {
  jobs += 1;
  return {
    ...UNSETTLED,
    id: `job-${process.pid}-${jobs}`,
    name: "test.job",
    queue,
    payload: { n: jobs },
    createdAt: Date.now(),
    headers: {},
    ...more,
  };
}
