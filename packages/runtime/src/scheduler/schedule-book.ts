import {
  type Broker,
  type Clock,
  type Document,
  type DocumentStore,
  type Logger,
  readStoredSchedule,
  recordError,
  SCHEDULES,
  type StoredSchedule,
  type Timer,
} from "@millrace/core";
import { isNewer, type Written } from "../service/written.ts";
import { KnownAfterOutage } from "../execution/recall/known-after-outage.ts";

/** Before a list that could not be read is tried again. */
const AGAIN_MS = 5_000;

/** All stored schedules as they are now, on every node. */
export class ScheduleBook {
  readonly #log: Logger;
  readonly #schedules = new Map<string, StoredSchedule>();
  /** Where what is in the book was written. */
  readonly #written = new Map<string, Written>();
  readonly #listeners = new Set<(name: string) => void>();
  /** Keys that the watch told of while a listing is under way. */
  #toldMeanwhile: Set<string> | undefined;
  #close: () => Promise<void> = () => Promise.resolve();

  private constructor(log: Logger) {
    this.#log = log;
  }

  /**
   * Watch first, then list: then nothing is missed. Listed anew after every reconnect, as a change
   * in an outage may have gone by unheard: one list after another, since one that was read before a
   * change may come after it.
   */
  static async open(broker: Broker, clock: Clock, log: Logger): Promise<ScheduleBook> {
    const store = await broker.documents(SCHEDULES);
    const book = new ScheduleBook(log);
    const watch = await store.watch(({ key, document }) => {
      book.#toldMeanwhile?.add(key);
      book.#hear(key, document);
    });
    const known = new KnownAfterOutage(() => book.#list(store));
    let again: Timer | undefined;
    let isClosed = false;
    const failed = (error: unknown): void => {
      if (isClosed) return;
      log.warn({ error: recordError(error) }, "schedules could not be listed anew");
      again?.cancel();
      again = clock.setTimer(AGAIN_MS, () => known.missed(failed));
    };
    try {
      const following = await known.open(broker, failed);
      book.#close = async () => {
        isClosed = true;
        again?.cancel();
        await Promise.all([following.stop(), watch.stop()]);
      };
    } catch (error) {
      isClosed = true;
      again?.cancel();
      await watch.stop();
      throw error;
    }
    return book;
  }

  /**
   * What the watch tells meanwhile is newer than the list. That counts whatever its revisions are:
   * those of a store that was restored are lower than before.
   */
  async #list(store: DocumentStore): Promise<void> {
    const told = (this.#toldMeanwhile = new Set<string>());
    const documents = new Map((await store.list()).map((document) => [document.key, document]));
    for (const key of new Set([...documents.keys(), ...this.#schedules.keys()]))
      if (!told.has(key)) this.#put(key, documents.get(key));
    if (this.#toldMeanwhile === told) this.#toldMeanwhile = undefined;
  }

  get size(): number {
    return this.#schedules.size;
  }

  get names(): readonly string[] {
    return [...this.#schedules.keys()];
  }

  get(name: string): StoredSchedule | undefined {
    return this.#schedules.get(name);
  }

  /** Calls with the name of each schedule that was added, changed or removed. */
  onChange(listener: (name: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    await this.#close();
  }

  /** The watch may be behind the list. */
  #hear(key: string, document: Document | undefined): void {
    if (document === undefined || isNewer(document, this.#written.get(key)))
      this.#put(key, document);
  }

  #put(key: string, document: Document | undefined): void {
    if (document === undefined) {
      this.#written.delete(key);
      this.#schedules.delete(key);
    } else {
      const known = this.#written.get(key);
      if (document.revision === known?.revision && document.updatedAt === known.updatedAt) return;
      this.#written.set(key, document);
      try {
        this.#schedules.set(key, readStoredSchedule(key, document.value));
      } catch (error) {
        this.#schedules.delete(key);
        this.#log.warn(
          { schedule: key, error: recordError(error) },
          "a stored schedule can't be used",
        );
      }
    }
    for (const listener of [...this.#listeners]) listener(key);
  }
}
