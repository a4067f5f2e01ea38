import { type Logger, MillraceError, recordError } from "@millrace/core";

/** Of what is younger a run or a relay may still be at work. */
const SETTLED_MS = 3_600_000;
/** How often everything is looked through. */
const SWEEP_EVERY_MS = 3_600_000;
/** Looked up side by side, so that rows that come meanwhile are published in between. */
const AT_A_TIME = 50;

export interface Page<Key> {
  readonly olderThanMs: number;
  /** The last of the page before. */
  readonly after: Key | undefined;
  readonly limit: number;
}

export interface PagedSweepOptions<Key> {
  readonly logger: Logger;
  /** @throws MillraceError `outbox-failed` */
  readonly read: (page: Page<Key>) => Promise<readonly Key[]>;
  /** Removes what is over. */
  readonly removeOver: (page: readonly Key[]) => Promise<void>;
  /** For the log, where the server does not tell what is over. */
  readonly unknown: string;
}

/** Looks through all that is kept, a page at a time, once an hour. */
export class PagedSweep<Key> {
  readonly #options: PagedSweepOptions<Key>;
  /** `Clock.monotonic()`. */
  #dueAt = 0;
  /** Where the sweep that is under way has come to. */
  #after: Key | undefined;

  constructor(options: PagedSweepOptions<Key>) {
    this.#options = options;
  }

  /**
   * The next part of a sweep that is due or under way.
   *
   * @param now `Clock.monotonic()`
   * @throws MillraceError `outbox-failed`
   */
  async next(now: number): Promise<void> {
    if (now < this.#dueAt) return;
    const { read } = this.#options;
    const page = await read({ olderThanMs: SETTLED_MS, after: this.#after, limit: AT_A_TIME });
    const told = await this.#removeOver(page);
    const goesOn = told && page.length === AT_A_TIME;
    this.#after = goesOn ? page.at(-1) : undefined;
    if (!goesOn) this.#dueAt = now + SWEEP_EVERY_MS;
  }

  /** @returns false where the server does not tell; the next sweep asks again */
  async #removeOver(page: readonly Key[]): Promise<boolean> {
    const { logger, removeOver, unknown } = this.#options;
    try {
      await removeOver(page);
      return true;
    } catch (error) {
      if (!MillraceError.is(error) || error.code === "outbox-failed") throw error;
      logger.warn({ error: recordError(error) }, unknown);
      return false;
    }
  }
}
