import type { Batch, BatchCounts, BatchEnd, Broker, JobRef } from "@millrace/core";

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
   * @returns undefined where nobody knows of it, or not any more
   * @example
   * const batch = await millrace.batches.get("import-7");
   * if (batch !== undefined) console.log(`${batch.left} of ${batch.total} have not ended`);
   */
  get(id: string): Promise<BatchStatus | undefined>;
}

const NONE: Readonly<Record<BatchEnd, number>> = {
  ...{ succeeded: 0, dead: 0, expired: 0, cancelled: 0, refused: 0 },
};

export function batchesOf(broker: Broker): Batches {
  return {
    async get(id) {
      const found = await broker.batches.find(id);
      if (found === undefined) return overBatch(broker, id);
      return openBatch(broker, found);
    },
  };
}

async function openBatch(broker: Broker, { id, callback }: Batch): Promise<BatchStatus> {
  // One that ends between the two looks is counted twice rather than not at all.
  const left = await broker.batches.left(id);
  const counts = { ...NONE };
  const ended = await broker.batches.ended(id);
  for (const { end } of ended) counts[end] += 1;
  const { queue, name } = callback;
  return {
    ...{ id, ...counts, left, total: left + ended.length },
    callback: { id: callback.id, queue, name },
  };
}

/** It was forgotten when its callback was enqueued, which says how its jobs ended. */
async function overBatch(broker: Broker, id: string): Promise<BatchStatus | undefined> {
  const callback = `${id}:callback`;
  const waiting = await broker.findWaiting(callback, {});
  const seen = [...(await broker.history.read({ id: callback })), waiting?.envelope];
  const told = seen.findLast((one) => one?.closes?.id === id);
  if (told?.closes === undefined) return undefined;
  const { queue, name, closes } = told;
  return { ...closes, left: 0, callback: { id: callback, queue, name } };
}
