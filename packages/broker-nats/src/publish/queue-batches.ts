import type { NatsConnection } from "@nats-io/nats-core";
import type { ServerFeatures } from "../connection/server-features.ts";
import type { Names } from "../topology/subjects.ts";
import type { ConfirmedPublisher } from "./confirmed-publisher.ts";
import { FastBatches } from "./fast-batches.ts";

/** So many queues have batches of their own; jobs for others go one by one. */
const MOST_QUEUES = 100;

/** Fast batches for the queues that many jobs are enqueued to at once. */
export class QueueBatches {
  readonly #nc: NatsConnection;
  readonly #names: Names;
  readonly #publisher: ConfirmedPublisher;
  readonly #features: () => ServerFeatures;
  readonly #ofQueue = new Map<string, FastBatches>();

  constructor(
    nc: NatsConnection,
    names: Names,
    publisher: ConfirmedPublisher,
    features: () => ServerFeatures,
  ) {
    this.#nc = nc;
    this.#names = names;
    this.#publisher = publisher;
    this.#features = features;
  }

  /** @returns undefined where there are none */
  of(queue: string): FastBatches | undefined {
    const known = this.#ofQueue.get(queue);
    if (known !== undefined) return known;
    if (!this.#features().fastBatches || this.#ofQueue.size >= MOST_QUEUES) return undefined;
    const asks = this.#names.jobs(queue, undefined);
    const made = new FastBatches(this.#nc, { publisher: this.#publisher, asks });
    this.#ofQueue.set(queue, made);
    return made;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#ofQueue.values()].map((batches) => batches.close()));
  }
}
