import { type Broker, type HistoryRecord, type Logger, MillraceError } from "@millrace/core";
import type { DoneRecord, OutboxStore } from "../store/outbox-store.ts";

/** A job that has ended may still have a run that was cut off and has not noticed. */
const SETTLED_MS = 3_600_000;
/** How often all records are looked through. */
const SWEEP_EVERY_MS = 3_600_000;
/** Looked up side by side, so that rows that come meanwhile are published in between. */
const AT_A_TIME = 50;

/** Ends after which a job comes back by no means. */
const FOR_GOOD: ReadonlySet<string> = new Set(["succeeded", "cancelled", "expired"]);

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
 * nothing is known any more is forgotten by its age.
 */
export class DoneSweep {
  readonly #options: DoneSweepOptions;
  /** `Clock.monotonic()`. */
  #dueAt = 0;
  /** Where the sweep that is under way has come to. */
  #after: DoneRecord | undefined;

  constructor(options: DoneSweepOptions) {
    this.#options = options;
  }

  /**
   * The next part of a sweep that is due or under way.
   *
   * @param now `Clock.monotonic()`
   * @throws MillraceError `outbox-failed`
   */
  async next(now: number): Promise<void> {
    const { store } = this.#options;
    if (now < this.#dueAt || store.done === undefined) return;
    const page = await store.done({
      olderThanMs: SETTLED_MS,
      after: this.#after,
      limit: AT_A_TIME,
    });
    const told = await this.#forgetEnded(page);
    const goesOn = told && page.length === AT_A_TIME;
    this.#after = goesOn ? page.at(-1) : undefined;
    if (!goesOn) this.#dueAt = now + SWEEP_EVERY_MS;
  }

  /** @returns false where the server does not tell; the next sweep asks again */
  async #forgetEnded(page: readonly DoneRecord[]): Promise<boolean> {
    const { broker, store, logger, keepDoneMs } = this.#options;
    try {
      const over = await Promise.all(page.map((record) => isOver(broker, record, keepDoneMs)));
      const ended = page.filter((_, place) => over[place]);
      if (ended.length > 0) await store.forgetDone?.(ended);
      return true;
    } catch (error) {
      if (!MillraceError.is(error) || error.code === "outbox-failed") throw error;
      logger.warn(
        { err: error },
        "Records of millrace_done stay: it is not known which jobs ended.",
      );
      return false;
    }
  }
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
  if (last?.state !== "dead" && ageMs < keepDoneMs) return false;
  // A letter that is retried is published before it is removed: looked for in this order, it is
  // not missed in between.
  if ((await broker.deadLetters.list({ id, queue, limit: 1 })).length > 0) return false;
  if ((await broker.findWaiting(id, { queue })) !== undefined) return false;
  // One that moved from one place to another meanwhile has left a record.
  return (await recorded()).length === before.length;
}
