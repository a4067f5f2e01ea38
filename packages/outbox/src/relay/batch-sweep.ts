import { type Broker, isKnownJob, type Logger } from "@millrace/core";
import type { OutboxStore } from "../store/outbox-store.ts";
import { PagedSweep } from "./paged-sweep.ts";

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
export function batchSweep({ broker, store, logger }: BatchSweepOptions): PagedSweep<string> {
  return new PagedSweep({
    logger,
    read: (page) => store.batches(page),
    removeOver: async (page) => {
      const over: string[] = [];
      for (const id of page) if (await removeIfOver(broker, id)) over.push(id);
      if (over.length > 0) await store.forgetBatches(over);
    },
    unknown: "it is not known which batches of the outbox are over; trying later",
  });
}

async function removeIfOver(broker: Broker, id: string): Promise<boolean> {
  const batch = await broker.batches.find(id);
  if (batch === undefined) {
    await broker.batches.removeRest(id);
    return true;
  }
  if (!(await isKnownJob(broker, batch.callback))) return false;
  await broker.batches.remove(id);
  return true;
}
