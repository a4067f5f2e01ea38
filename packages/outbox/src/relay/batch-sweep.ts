import { type Broker, isKnownJob, type Logger } from "@millrace/core";
import type { OutboxStore } from "../store/outbox-store.ts";
import { PagedSweep } from "./paged-sweep.ts";
import type { Sweep } from "./sweeps.ts";

export interface BatchSweepOptions {
  readonly broker: Broker;
  readonly store: Pick<OutboxStore, "batches" | "forgetBatches">;
  readonly logger: Logger;
}

/**
 * Removes what a relay leaves behind that comes late, makes a batch known that is over, and dies:
 * nobody else would look at it again. A batch whose callback was enqueued is over. A relay that
 * read a batch's row before another replaced it may be about to make it known, so it has to be old.
 */
export function batchSweep({ broker, store, logger }: BatchSweepOptions): Sweep {
  return new PagedSweep<string, readonly string[]>({
    logger,
    read: (page) => store.batches(page),
    async look(page, ended) {
      const over: string[] = [];
      for (const id of page) if (!ended.aborted && (await isRemoved(broker, id))) over.push(id);
      return over;
    },
    async keep(over) {
      if (over.length > 0) await store.forgetBatches(over);
    },
    unknown: "it is not known which batches of the outbox are over; trying later",
  });
}

/** @returns whether nothing of it is left */
async function isRemoved(broker: Broker, id: string): Promise<boolean> {
  const batch = await broker.batches.find(id);
  if (batch === undefined) {
    await broker.batches.removeRest(id);
    return true;
  }
  if (!(await isKnownJob(onRecord(broker), batch.callback))) return false;
  await broker.batches.remove(id, batch.revision);
  // Somebody may have joined it since.
  return (await broker.batches.find(id)) === undefined;
}

/**
 * The callback of a batch that goes on is in no queue, and who looks for it looks through all of
 * it. A waiting job runs some time, and has a record then: a later sweep finds that.
 */
function onRecord({ history }: Broker): Pick<Broker, "history" | "findWaiting"> {
  return { history, findWaiting: async () => undefined };
}
