import { type Broker, isKnownJob, type Logger, MillraceError } from "@millrace/core";
import type { OutboxStore } from "../store/outbox-store.ts";

/** A relay that read a batch's row before another replaced it may be about to make it known. */
const SETTLED_MS = 3_600_000;
/** How often all batches are looked through. */
const SWEEP_EVERY_MS = 3_600_000;
const AT_A_TIME = 50;

export interface BatchSweepOptions {
  readonly broker: Broker;
  readonly store: Pick<OutboxStore, "batches" | "forgetBatches">;
  readonly logger: Logger;
}

/**
 * Removes what a relay leaves behind that comes late, makes a batch known that is over, and dies:
 * nobody else would look at it again. A batch whose callback was enqueued is over.
 */
export class BatchSweep {
  readonly #options: BatchSweepOptions;
  /** `Clock.monotonic()`. */
  #dueAt = 0;
  /** Where the sweep that is under way has come to. */
  #after: string | undefined;

  constructor(options: BatchSweepOptions) {
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
    if (now < this.#dueAt) return;
    const page = await store.batches({
      olderThanMs: SETTLED_MS,
      after: this.#after,
      limit: AT_A_TIME,
    });
    const told = await this.#removeOver(page);
    const goesOn = told && page.length === AT_A_TIME;
    this.#after = goesOn ? page.at(-1) : undefined;
    if (!goesOn) this.#dueAt = now + SWEEP_EVERY_MS;
  }

  /** @returns false where the server does not tell; the next sweep asks again */
  async #removeOver(page: readonly string[]): Promise<boolean> {
    const { broker, store, logger } = this.#options;
    const over: string[] = [];
    try {
      for (const id of page) if (await removeIfOver(broker, id)) over.push(id);
      if (over.length > 0) await store.forgetBatches(over);
      return true;
    } catch (error) {
      if (!MillraceError.is(error) || error.code === "outbox-failed") throw error;
      logger.warn({ err: error }, "It is not known which batches of the outbox are over.");
      return false;
    }
  }
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
