import {
  type Document,
  type DocumentStore,
  type Logger,
  readStoredSchedule,
  recordError,
  type StoredSchedule,
} from "@millrace/core";

/** All stored schedules as they are now, on every node. */
export class ScheduleBook {
  readonly #log: Logger;
  readonly #schedules = new Map<string, StoredSchedule>();
  /** Newest revision that was looked at, by key; removals too, so that an old list does not bring one back. */
  readonly #revisions = new Map<string, number>();
  readonly #listeners = new Set<(name: string) => void>();
  #unwatch: { stop(): Promise<void> } | undefined;

  private constructor(log: Logger) {
    this.#log = log;
  }

  static async open(store: DocumentStore, log: Logger): Promise<ScheduleBook> {
    const book = new ScheduleBook(log);
    const removed = new Set<string>();
    book.#unwatch = await store.watch(({ key, document }) => {
      if (document === undefined) removed.add(key);
      else removed.delete(key);
      book.#take(key, document);
    });
    for (const document of await store.list())
      if (!removed.has(document.key)) book.#take(document.key, document);
    return book;
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
    await this.#unwatch?.stop();
  }

  #take(key: string, document: Document | undefined): void {
    if (document === undefined) this.#schedules.delete(key);
    else {
      if (document.revision <= (this.#revisions.get(key) ?? 0)) return;
      this.#revisions.set(key, document.revision);
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
