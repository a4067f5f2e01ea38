import { type Arrival, type ArrivalQuery, type Broker, MillraceError } from "@millrace/core";
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
  async find(jobs: readonly OneJob[]): Promise<ReadonlyMap<string, Arrival>> {
    const found = new Map<string, Arrival>();
    for (const queue of new Set(jobs.map((job) => job.queue))) {
      const wanted = new Set(jobs.filter((job) => job.queue === queue).map(jobKey));
      for (const arrival of await this.#search(queue, wanted)) {
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
        for (const arrival of stretch.jobs) {
          const key = jobKey(arrival.envelope);
          if (!wanted.has(key)) continue;
          found.push(arrival);
          missing.delete(key);
          this.#positions.set(queue, arrival.position);
        }
        if (stretch.until >= stretch.newest) break;
        after = stretch.until;
        limit = STRETCH;
      }
    return found;
  }

  /** @returns undefined where the queue is gone */
  async #stretch(
    queue: string,
    query: ArrivalQuery,
  ): Promise<Awaited<ReturnType<Broker["arrivals"]["stretch"]>> | undefined> {
    try {
      return await this.#broker.arrivals.stretch(queue, query);
    } catch (error) {
      if (MillraceError.is(error, "queue-not-found")) return undefined;
      throw error;
    }
  }
}
