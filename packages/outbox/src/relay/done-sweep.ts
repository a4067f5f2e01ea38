import type { Broker, HistoryRecord, Logger } from "@millrace/core";
import type { DoneRecord, OutboxStore } from "../store/outbox-store.ts";
import { PagedSweep } from "./paged-sweep.ts";

/** Ends after which a job comes back by no means. */
const FOR_GOOD: ReadonlySet<string> = new Set(["succeeded", "cancelled"]);
/** Ends with a dead letter: while that is there, the job may be retried. */
const WITH_LETTER: ReadonlySet<string> = new Set(["dead", "expired"]);

export interface DoneSweepOptions {
  readonly broker: Pick<Broker, "history" | "deadLetters" | "findWaiting">;
  readonly store: OutboxStore;
  readonly logger: Logger;
  /** How long a record is kept whose job nobody knows any more, milliseconds. */
  readonly keepDoneMs: number;
}

/**
 * Forgets that the effects of jobs are committed, once the jobs can't come again: their history
 * says how they ended, and no dead letter of them is left that could be retried. A job of which
 * nothing is known any more is forgotten by its age. One that has ended may still have a run that
 * was cut off and has not noticed, so its record has to be old.
 */
export function doneSweep(options: DoneSweepOptions): PagedSweep<DoneRecord> {
  const { broker, store, logger, keepDoneMs } = options;
  return new PagedSweep({
    logger,
    read: async (page) => (await store.done?.(page)) ?? [],
    removeOver: async (page) => {
      const over = await Promise.all(page.map((record) => isOver(broker, record, keepDoneMs)));
      const ended = page.filter((_, place) => over[place]);
      if (ended.length > 0) await store.forgetDone?.(ended);
    },
    unknown: "records of millrace_done stay: it is not known which jobs ended; trying later",
  });
}

/** Whether no message of the job can come to a node any more. */
async function isOver(
  broker: DoneSweepOptions["broker"],
  { queue, id, enqueuedAt, ageMs }: DoneRecord,
  keepDoneMs: number,
): Promise<boolean> {
  const recorded = async (): Promise<readonly HistoryRecord[]> => {
    const records = await broker.history.read({ id, queue });
    return records.filter(({ createdAt }) => createdAt === enqueuedAt);
  };
  const before = await recorded();
  const last = before.at(-1);
  if (last !== undefined && FOR_GOOD.has(last.state)) return true;
  if (!WITH_LETTER.has(last?.state ?? "") && ageMs < keepDoneMs) return false;
  // A letter that is retried is published before it is removed: looked for in this order, it is
  // not missed in between.
  if ((await broker.deadLetters.list({ id, queue, limit: 1 })).length > 0) return false;
  if ((await broker.findWaiting(id, { queue })) !== undefined) return false;
  // One that moved from one place to another meanwhile has left a record.
  return (await recorded()).length === before.length;
}
