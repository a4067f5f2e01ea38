import type { EnqueueCall } from "../broker/enqueue-call.ts";
import type { Envelope } from "../envelope/envelope.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import { isKey, type OnceOptions } from "./job-key.ts";
import type { UniqueConflict } from "../unique/unique-plan.ts";

/** What became of one job of a bulk enqueue, in the order given. */
export type EnqueueItemResult =
  | {
      readonly ok: true;
      readonly id: string;
      readonly queue: string;
      readonly duplicate: boolean;
      /**
       * Set where nothing was sent because the id is the key of a job that is on record: something
       * of that job was stored then, epoch milliseconds of the broker's clock.
       */
      readonly onRecordSince?: number;
      /** Set where the job's unique key was held by another. */
      readonly conflict?: UniqueConflict;
    }
  | {
      readonly ok: false;
      readonly id: string | undefined;
      readonly queue: string;
      readonly error: MillraceError;
    };

/** A job that was enqueued, or the one that holds its unique key. */
export type EnqueuedJob = Omit<Extract<EnqueueItemResult, { readonly ok: true }>, "ok"> & {
  /** Of the job that was stored; absent where another was there before. */
  readonly createdAt?: number;
  /** Of the job that was sent, where its queue had one before: that may be a copy of it. */
  readonly ownCreatedAt?: number;
};

/**
 * What a handle goes by, of a job that was made then.
 *
 * @param result with the place that its queue has named, where it was sent
 */
export function withCreatedAt<
  Result extends { readonly duplicate: boolean; readonly sequence?: number },
>(result: Result, createdAt: number): Result & Pick<EnqueuedJob, "createdAt" | "ownCreatedAt"> {
  if (!result.duplicate) return { ...result, createdAt };
  return result.sequence === undefined ? result : { ...result, ownCreatedAt: createdAt };
}

/** Publishes jobs of one queue. */
export type PublishJobs = (
  envelopes: readonly Envelope[],
  call: Pick<EnqueueCall, "newIds" | "keys">,
) => Promise<readonly EnqueueItemResult[]>;

/**
 * Jobs that are made and handed to the broker together: few enough that making them never holds up
 * the network for long.
 */
const CHUNK = 256;
/** Chunks on their way while the next is made. They bound the memory of an enqueue of millions. */
const CHUNKS_UNDER_WAY = 4;

/**
 * Makes envelopes and publishes them, a chunk while earlier ones are on their way. A job that can't
 * be made has its own error and stops no other.
 *
 * @throws what `make` throws beside a MillraceError, once everything that was begun is settled
 */
export async function enqueueMany<Item extends OnceOptions>(
  publish: PublishJobs,
  items: readonly Item[],
  queue: string,
  make: (item: Item) => Envelope | Promise<Envelope>,
): Promise<readonly EnqueueItemResult[]> {
  const results = Array.from<EnqueueItemResult>({ length: items.length });
  const underWay = new Set<Promise<void>>();
  const failures: unknown[] = [];
  for (let from = 0; from < items.length && failures.length === 0; from += CHUNK) {
    const task = enqueueChunk(publish, items, from, queue, make, results)
      .catch((error: unknown) => void failures.push(error))
      .finally(() => underWay.delete(task));
    underWay.add(task);
    if (underWay.size === CHUNKS_UNDER_WAY) await Promise.race(underWay);
  }
  await Promise.all(underWay);
  if (failures.length > 0) throw failures[0];
  return results;
}

/** Writes only its own places of `results`. */
async function enqueueChunk<Item extends OnceOptions>(
  publish: PublishJobs,
  items: readonly Item[],
  from: number,
  queue: string,
  make: (item: Item) => Envelope | Promise<Envelope>,
  results: EnqueueItemResult[],
): Promise<void> {
  const envelopes: Envelope[] = [];
  const places: number[] = [];
  const keys = new Set<string>();
  let newIds = true;
  for (let place = from; place < Math.min(from + CHUNK, items.length); place += 1) {
    const item = items[place] as Item;
    try {
      const isKeyed = isKey(item);
      // Waits only where a schema does: a turn of the event loop for each of many jobs would cost
      // more than the rest.
      const made = make(item);
      envelopes.push(made instanceof Promise ? await made : made);
      places.push(place);
      if (item.id === undefined) continue;
      newIds = false;
      if (isKeyed) keys.add(item.id);
    } catch (error) {
      if (!MillraceError.is(error)) throw error;
      results[place] = { ok: false, id: idOf(item), queue, error };
    }
  }
  const published = await publish(envelopes, { newIds, keys });
  for (const [index, place] of places.entries()) {
    const result = published[index];
    const { id } = envelopes[index] as Envelope;
    results[place] =
      result === undefined ? { ok: false, id, queue, error: unanswered(id) } : result;
  }
}

/** Of what may be no item at all. */
export function idOf(item: OnceOptions | null): string | undefined {
  return typeof item === "object" ? item?.id : undefined;
}

export function unanswered(id: string): MillraceError {
  return new MillraceError("publish-timeout", `The broker said nothing about job ${id}.`);
}
