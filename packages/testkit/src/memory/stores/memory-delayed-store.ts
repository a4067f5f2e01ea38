import {
  type Clock,
  DEFAULT_MAX_DELAY_MS,
  type DelayedJob,
  type DelayedQuery,
  type DelayedStore,
  type Envelope,
  isMeant,
  type JobRef,
  type MeantMove,
  requireId,
  requirePlace,
  requireQueueName,
  rescheduled,
} from "@millrace/core";
import type { MemoryDelayed } from "./memory-delayed.ts";
import { requeueOf } from "../publication.ts";

interface MemoryDelayedStoreOptions {
  readonly delayed: MemoryDelayed;
  readonly clock: Clock;
  readonly maxMessageBytes: number;
  /** Throws where the connection can't be used. */
  readonly reach: () => void;
}

/** One connection's access to the delayed jobs. */
export class MemoryDelayedStore implements DelayedStore {
  readonly #options: MemoryDelayedStoreOptions;

  constructor(options: MemoryDelayedStoreOptions) {
    this.#options = options;
  }

  async list(query: DelayedQuery = {}): Promise<readonly DelayedJob[]> {
    this.#options.reach();
    return this.#options.delayed.page(requirePlace(query));
  }

  async count(queue?: string): Promise<number> {
    this.#options.reach();
    if (queue !== undefined) requireQueueName(queue);
    return this.#options.delayed.list(queue).length;
  }

  async newest(): Promise<number> {
    this.#options.reach();
    return this.#options.delayed.newest;
  }

  async of(job: JobRef): Promise<readonly Envelope[]> {
    this.#options.reach();
    const { id, queue } = requirePlace(job);
    return this.#options.delayed.of(id, queue).map(({ envelope }) => envelope);
  }

  async move(
    id: string,
    queue: string,
    notBefore: number | "now",
    { cancellation, createdAt, from }: MeantMove = {},
  ): Promise<boolean> {
    const { delayed, clock, maxMessageBytes, reach } = this.#options;
    requireId(id);
    requireQueueName(queue);
    reach();
    const found = delayed
      .of(id, queue)
      .findLast(
        ({ job, envelope }) =>
          (createdAt === undefined || createdAt === envelope.createdAt) &&
          (cancellation === undefined || isMeant(cancellation, envelope)) &&
          (from === undefined || job.notBefore === from),
      );
    const now = clock.now();
    if (found === undefined || found.job.notBefore <= now) return false;
    const moved = rescheduled(found.envelope, notBefore, now, {
      maxDelayMs: DEFAULT_MAX_DELAY_MS,
      cancelled: cancellation?.reason,
    });
    delayed.replace({
      queue,
      notBefore: moved.notBefore ?? now,
      storedAt: now,
      publication: requeueOf(moved, maxMessageBytes),
    });
    return true;
  }
}
