import {
  type JobLogPage,
  type JobLogStore,
  type JobRef,
  requirePlace,
  type StoredLogPage,
} from "@millrace/core";

/** As a stream's bound in bytes: the oldest pages go first. */
const MOST_PAGES = 10_000;
const USUAL_LIMIT = 100;

/** What was logged in all jobs, shared by every connection. */
export class JobLogShelf {
  readonly #pages: { readonly key: string; readonly page: StoredLogPage }[] = [];
  #position = 0;

  append(job: JobRef, page: JobLogPage): void {
    const key = keyOf(job);
    if (this.#pages.some((stored) => stored.key === key && isCopy(stored.page, page))) return;
    const position = (this.#position += 1);
    this.#pages.push({ key, page: structuredClone({ ...page, position }) });
    if (this.#pages.length > MOST_PAGES) this.#pages.shift();
  }

  read(job: JobRef, after: number, limit: number): readonly StoredLogPage[] {
    const key = keyOf(job);
    return this.#pages
      .filter((stored) => stored.key === key && stored.page.position > after)
      .slice(0, limit)
      .map(({ page }) => structuredClone(page));
  }
}

function keyOf(job: JobRef): string {
  const { queue, id } = requirePlace(job);
  return `${queue}/${id}`;
}

function isCopy(one: JobLogPage, other: JobLogPage): boolean {
  return (
    one.createdAt === other.createdAt &&
    one.attempt === other.attempt &&
    one.node === other.node &&
    one.token === other.token &&
    one.page === other.page
  );
}

/** One connection's access to the shelf. */
export class MemoryJobLogs implements JobLogStore {
  readonly #shelf: JobLogShelf;
  readonly #reach: () => void;

  /** @param reach throws where the connection can't be used */
  constructor(shelf: JobLogShelf, reach: () => void) {
    this.#shelf = shelf;
    this.#reach = reach;
  }

  async append(job: JobRef, page: JobLogPage): Promise<void> {
    this.#reach();
    this.#shelf.append(job, page);
  }

  async read(
    job: JobRef,
    { after = 0, limit = USUAL_LIMIT }: { readonly after?: number; readonly limit?: number } = {},
  ): Promise<readonly StoredLogPage[]> {
    this.#reach();
    return this.#shelf.read(job, after, limit);
  }
}
