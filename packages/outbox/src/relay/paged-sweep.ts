import { type Logger, recordError } from "@millrace/core";
import type { Sweep } from "./sweeps.ts";

/** A run or a relay may still be at work on younger rows, and a run on a job that ended since. */
export const SETTLED_MS = 3_600_000;
/** How often everything is looked through. */
const SWEEP_EVERY_MS = 3_600_000;
/** Looked up side by side. */
const AT_A_TIME = 50;

export interface Page<Key> {
  readonly olderThanMs: number;
  /** The last of the page before. */
  readonly after: Key | undefined;
  readonly limit: number;
}

export interface PagedSweepOptions<Key, Found> {
  readonly logger: Logger;
  /** @throws MillraceError `outbox-failed` */
  readonly read: (page: Page<Key>) => Promise<readonly Key[]>;
  /** Asks the server what is over. It is not waited for once `ended` is aborted. */
  readonly look: (page: readonly Key[], ended: AbortSignal) => Promise<Found>;
  /** Keeps in the database what was found. @throws MillraceError `outbox-failed` */
  readonly keep: (found: Found) => Promise<void>;
  /** For the log, where it is not told what is over. */
  readonly unknown: string;
}

/** Looks through all that is kept, a page at a time, once an hour. */
export class PagedSweep<Key, Found> implements Sweep {
  readonly #options: PagedSweepOptions<Key, Found>;
  /** `Clock.monotonic()`. */
  #dueAt = 0;
  /** Where the sweep that is under way has come to. */
  #after: Key | undefined;

  constructor(options: PagedSweepOptions<Key, Found>) {
    this.#options = options;
  }

  async next(now: number, ended: AbortSignal): Promise<void> {
    if (now < this.#dueAt) return;
    this.#after = await this.#part(ended);
    if (this.#after === undefined) this.#dueAt = now + SWEEP_EVERY_MS;
  }

  /** @returns where to go on; where it could not be told what is over, the next sweep asks again */
  async #part(ended: AbortSignal): Promise<Key | undefined> {
    const { logger, read, look, keep, unknown } = this.#options;
    try {
      const page = await read({ olderThanMs: SETTLED_MS, after: this.#after, limit: AT_A_TIME });
      if (page.length === 0 || ended.aborted) return undefined;
      const found = await unlessEnded(look(page, ended), ended);
      if (found === undefined) return undefined;
      await keep(found.value);
      return page.length === AT_A_TIME ? page.at(-1) : undefined;
    } catch (error) {
      logger.warn({ error: recordError(error) }, unknown);
      return undefined;
    }
  }
}

/** @returns undefined once `ended` is aborted, whatever becomes of the work */
async function unlessEnded<Value>(
  work: Promise<Value>,
  ended: AbortSignal,
): Promise<{ readonly value: Value } | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const leave = (): void => resolve(undefined);
  ended.addEventListener("abort", leave);
  try {
    return await Promise.race([work.then((value) => ({ value })), promise]);
  } finally {
    ended.removeEventListener("abort", leave);
  }
}
