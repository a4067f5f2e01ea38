import { type Broker, type HistoryRecord, type Logger, UNDO_MS } from "@millrace/core";
import type { DoneRecord, OutboxStore } from "../store/outbox-store.ts";
import { PagedSweep, SETTLED_MS } from "./paged-sweep.ts";
import type { Sweep } from "./sweeps.ts";

/**
 * Ends after which a job may come back: with a dead letter, for as long as that is there; and by an
 * undo, which enqueues a cancelled one anew.
 */
const NOT_FOR_GOOD: ReadonlySet<string> = new Set(["dead", "expired", "cancelled"]);
/** Longer than a job can be brought back, by what an undo that has begun may take. */
const GONE_FOR_GOOD_MS = UNDO_MS + 3_600_000;

export interface DoneSweepOptions {
  readonly broker: Pick<Broker, "history" | "deadLetters" | "findWaiting" | "serverNow">;
  readonly store: OutboxStore;
  readonly logger: Logger;
  /** How long a record is kept whose job nobody knows any more, milliseconds. */
  readonly keepDoneMs: number;
}

/**
 * What of a job can still come to a node. `over`: nothing, and nothing can be put back. `gone`:
 * nothing, but an undo can put a discarded dead letter back, or enqueue a cancelled job anew.
 * `there`: something, or it is not known yet.
 */
type Fate = "over" | "gone" | "there";

interface Found {
  readonly record: DoneRecord;
  readonly fate: Fate;
}

/**
 * Forgets that the effects of jobs are committed, once the jobs can't come again: their history
 * says how they ended, and no dead letter of them is left that could be retried, nor was one for as
 * long as an operation can be undone. A job of which nothing is known any more is forgotten by its
 * age. A job that has ended may still have a run that was cut off and has not noticed, so it has to
 * have ended a while ago.
 */
export function doneSweep(options: DoneSweepOptions): Sweep {
  const { broker, store, logger, keepDoneMs } = options;
  return new PagedSweep<DoneRecord, readonly Found[]>({
    logger,
    read: async (page) => (await store.done?.(page)) ?? [],
    look: (page) =>
      Promise.all(
        page.map(async (record) => ({ record, fate: await fateOf(broker, record, keepDoneMs) })),
      ),
    async keep(found) {
      const of = (wanted: Fate): readonly DoneRecord[] =>
        found.flatMap(({ record, fate }) => (fate === wanted ? [record] : []));
      const isNoted = ({ goneForMs }: DoneRecord): boolean => goneForMs !== undefined;
      const over = of("over");
      if (over.length > 0) await store.forgetDone?.(over);
      const gone = of("gone").filter((record) => !isNoted(record));
      if (gone.length > 0) await store.noteGone?.(gone, true);
      const back = of("there").filter(isNoted);
      if (back.length > 0) await store.noteGone?.(back, false);
    },
    unknown: "records of millrace_done stay: it is not known which jobs ended; trying later",
  });
}

async function fateOf(
  broker: DoneSweepOptions["broker"],
  { queue, id, enqueuedAt, ageMs, goneForMs }: DoneRecord,
  keepDoneMs: number,
): Promise<Fate> {
  const recorded = async (): Promise<readonly HistoryRecord[]> => {
    const records = await broker.history.read({ id, queue });
    return records.filter(
      (record) => record.createdAt === enqueuedAt || isAnew(record, enqueuedAt),
    );
  };
  const before = await recorded();
  const own = before.findLast(({ createdAt }) => createdAt === enqueuedAt);
  if (own?.state === "succeeded")
    return (await hasSettled(broker, { queue, id, enqueuedAt })) ? "over" : "there";
  // What was enqueued anew may be in the place of another job of the id: its success ends nothing.
  const last = before.at(-1);
  const hasEnded = last?.state === "succeeded" || NOT_FOR_GOOD.has(last?.state ?? "");
  if (!hasEnded && ageMs < keepDoneMs) return "there";
  // A letter that is retried is published before it is removed: looked for in this order, it is
  // not missed in between.
  if ((await broker.deadLetters.list({ id, queue, limit: 1 })).length > 0) return "there";
  // Looking through a queue is slow, and decides nothing yet.
  if (goneForMs !== undefined && goneForMs < GONE_FOR_GOOD_MS) return "gone";
  if ((await broker.findWaiting(id, { queue })) !== undefined) return "there";
  // A job that moved from one place to another meanwhile has left a record.
  if ((await recorded()).length !== before.length) return "there";
  if (goneForMs === undefined) return "gone";
  // Between two looks it may have been put back, retried and discarded once more.
  const goneSince = (await broker.serverNow()) - goneForMs;
  return last !== undefined && last.at > goneSince ? "there" : "over";
}

/** Whether the job succeeded so long ago that no other run of it can be left. */
async function hasSettled(
  broker: Pick<Broker, "history" | "serverNow">,
  { queue, id, enqueuedAt }: Pick<DoneRecord, "queue" | "id" | "enqueuedAt">,
): Promise<boolean> {
  const stored = await broker.history.stored({ id, queue });
  const end = stored.findLast(
    ({ record }) => record.createdAt === enqueuedAt && record.state === "succeeded",
  );
  return end !== undefined && (await broker.serverNow()) - end.storedAt >= SETTLED_MS;
}

/**
 * Whether a record is of a job that an undo has enqueued in the place of a cancelled one, whose
 * effects it has. Its own time of creation stands for what tells its enqueue from others.
 */
function isAnew({ createdAt, unkeyed }: HistoryRecord, since: number): boolean {
  return createdAt !== undefined && createdAt > since && unkeyed === createdAt;
}
