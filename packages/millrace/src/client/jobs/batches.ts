import {
  type BatchCounts,
  type BatchEnd,
  type Broker,
  type Envelope,
  isId,
  type JobRef,
  MillraceError,
  MOST_BATCH_JOBS,
  optionNames,
  refuseUnknown,
  requireId,
  type StoredBatch,
} from "@millrace/core";
import type { JobStatus } from "./job-status.ts";
import { among, type CallLimits, LIMITS, type LimitsPlaces } from "../call-limits.ts";

/** How far a batch is. */
export interface BatchStatus extends BatchCounts {
  /** How many of its jobs have not ended. */
  readonly left: number;
  /** The job that is enqueued when all have ended. */
  readonly callback: JobRef & { readonly name: string };
}

/** Batches, from outside. */
export interface Batches {
  /**
   * How far a batch is; of one that is over, how its jobs ended, for as long as its callback is
   * known.
   *
   * @param options.queue where its callback may still wait. Without it, a batch that is over and
   *   whose callback has not ended yet is not found
   * @returns undefined where nobody knows of it, or not any more
   * @throws MillraceError `invalid-name`; `invalid-option` of an open batch that has come to more
   *   than 100,000 jobs, by being made again with others: all of them would have to be read
   * @example
   * const batch = await millrace.batches.get("import-7");
   * if (batch !== undefined) console.log(`${batch.left} of ${batch.total} have not ended`);
   */
  get(
    id: string,
    options?: { readonly queue?: string } & CallLimits,
  ): Promise<BatchStatus | undefined>;
}

const NONE: Readonly<Record<BatchEnd, number>> = {
  ...{ succeeded: 0, dead: 0, expired: 0, cancelled: 0, refused: 0 },
};

const GET_NAMES = optionNames<NonNullable<Parameters<Batches["get"]>[1]>>({
  ...{ queue: true, ...LIMITS },
});
export const BATCHES_LIMITS: LimitsPlaces<Batches> = { get: among(1) };

export function batchesOf(broker: Broker): Batches {
  return {
    async get(id, options = {}) {
      refuseUnknown(options, GET_NAMES, "batches.get()");
      const { queue } = options;
      const found = await broker.batches.find(requireId(id, "A batch's id"));
      if (found === undefined) return overBatch(broker, id, queue);
      const status = await openBatch(broker, found);
      // It was perhaps removed between the looks, and its jobs with it.
      return status.total > 0 ? status : ((await overBatch(broker, id, queue)) ?? status);
    },
  };
}

/** The batch of a job: of a callback the job itself says how its batch ended. */
export async function batchOfJob(
  batches: Batches,
  { id, queue, name, batch, closes }: Pick<JobStatus, "id" | "queue" | "name" | "batch" | "closes">,
): Promise<BatchStatus | undefined> {
  if (batch !== undefined) return batches.get(batch, { queue });
  return closes && { ...closes, left: 0, callback: { id, queue, name } };
}

async function openBatch(
  broker: Broker,
  { id, callback: { id: callbackId, queue, name }, over }: StoredBatch,
): Promise<BatchStatus> {
  const callback = { id: callbackId, queue, name };
  if (over !== undefined) {
    const { failed: _named, ...counts } = over;
    return { ...counts, left: 0, callback };
  }
  // One that ends between the two looks is counted twice rather than not at all.
  const left = await broker.batches.left(id);
  const most = MOST_BATCH_JOBS;
  const ended = left > most ? [] : await broker.batches.ended(id, { most });
  if (Math.max(left, ended.length) > most)
    throw new MillraceError(
      "invalid-option",
      `The batch ${id} has more than ${MOST_BATCH_JOBS.toLocaleString("en")} jobs, so how far it is is not counted. Its callback still comes when all have ended.`,
    );
  const counts = { ...NONE };
  for (const { end } of ended) counts[end] += 1;
  return { ...{ id, ...counts, left, total: left + ended.length }, callback };
}

/**
 * It was forgotten when its callback was enqueued, which says how its jobs ended.
 *
 * @param where the only queue that is looked through: to look through all of them is dear
 */
async function overBatch(
  broker: Broker,
  id: string,
  where: string | undefined,
): Promise<BatchStatus | undefined> {
  const callback = `${id}:callback`;
  // Anybody can name a batch in a job, and the longest id has no room for more.
  if (!isId(callback)) return undefined;
  const records = await broker.history.read({ id: callback });
  const told =
    records.findLast(({ closes }) => closes?.id === id) ??
    (where === undefined ? undefined : await waitingIn(broker, callback, where));
  if (told?.closes?.id !== id) return undefined;
  const { queue, name, closes } = told;
  return { ...closes, left: 0, callback: { id: callback, queue, name } };
}

async function waitingIn(
  broker: Broker,
  callback: string,
  queue: string,
): Promise<Envelope | undefined> {
  return (await broker.findWaiting(callback, { queue }))?.envelope;
}
