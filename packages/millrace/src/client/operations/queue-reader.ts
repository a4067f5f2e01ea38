import {
  type Arrival,
  type ArrivalQuery,
  type Arrivals,
  type Broker,
  MillraceError,
} from "@millrace/core";
import { jobKey, type OneJob } from "../jobs/job-key.ts";

/** How many jobs are read at once where what is sought is not right there. */
const STRETCH = 500;

/**
 * Finds jobs in their queues. What an operation is about lies mostly in its plan's order, so each
 * search goes on where the last one ended, and begins at the front only for what lies before.
 */
export class QueueReader {
  readonly #broker: Broker;
  readonly #positions = new Map<string, number>();

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** By `jobKey`. What is not there is left out. */
  find(jobs: readonly OneJob[]): Promise<ReadonlyMap<string, Arrival>> {
    return this.#find(jobs, (queue, wanted) => this.#search(queue, wanted));
  }

  /** The same, of what lies where the last search ended: what is left out may lie elsewhere. */
  findNearby(jobs: readonly OneJob[]): Promise<ReadonlyMap<string, Arrival>> {
    return this.#find(jobs, async (queue, wanted) => {
      const after = this.#positions.get(queue) ?? 0;
      const stretch = await this.#stretch(queue, { after, limit: 2 * wanted.size });
      return stretch === undefined ? [] : this.#met(queue, stretch, wanted);
    });
  }

  async #find(
    jobs: readonly OneJob[],
    search: (queue: string, wanted: ReadonlySet<string>) => Promise<readonly Arrival[]>,
  ): Promise<ReadonlyMap<string, Arrival>> {
    const found = new Map<string, Arrival>();
    for (const queue of new Set(jobs.map((job) => job.queue))) {
      const wanted = new Set(jobs.filter((job) => job.queue === queue).map(jobKey));
      for (const arrival of await search(queue, wanted)) {
        const key = jobKey(arrival.envelope);
        const other = found.get(key);
        if (other === undefined || other.envelope.generation <= arrival.envelope.generation)
          found.set(key, arrival);
      }
    }
    return found;
  }

  /** All that were met under the keys. */
  async #search(queue: string, wanted: ReadonlySet<string>): Promise<readonly Arrival[]> {
    const from = this.#positions.get(queue) ?? 0;
    const found: Arrival[] = [];
    const missing = new Set(wanted);
    const stretches = [
      [from, Number.POSITIVE_INFINITY],
      [0, from],
    ] as const;
    for (const [start, end] of stretches)
      // What is sought lies side by side at most times, right where the last search ended.
      for (let after = start, limit = 2 * wanted.size; missing.size > 0 && after < end;) {
        const stretch = await this.#stretch(queue, { after, limit });
        if (stretch === undefined) return found;
        for (const arrival of this.#met(queue, stretch, wanted)) {
          found.push(arrival);
          missing.delete(jobKey(arrival.envelope));
        }
        if (stretch.until >= stretch.newest) break;
        after = stretch.until;
        limit = STRETCH;
      }
    return found;
  }

  /** Those of a stretch that are wanted. The next search goes on after the last of them. */
  #met(
    queue: string,
    { jobs }: Pick<Arrivals, "jobs">,
    wanted: ReadonlySet<string>,
  ): readonly Arrival[] {
    const met = jobs.filter(({ envelope }) => wanted.has(jobKey(envelope)));
    const last = met.at(-1);
    if (last !== undefined) this.#positions.set(queue, last.position);
    return met;
  }

  /** @returns undefined where the queue is gone */
  async #stretch(queue: string, query: ArrivalQuery): Promise<Arrivals | undefined> {
    try {
      return await this.#broker.arrivals.stretch(queue, query);
    } catch (error) {
      if (MillraceError.is(error, "queue-not-found")) return undefined;
      throw error;
    }
  }
}
