import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { FailureGroup } from "@millrace/core";
import type { KnownValues } from "../../filter/complete-filter.ts";
import { EndedRates } from "./ended-rates.ts";
import type { AskedFailures } from "../failures-query.ts";
import { FailureCauses } from "./failure-causes.ts";
import { HeardTable } from "./heard-table.ts";
import {
  type Cursors,
  type EndedRate,
  type IndexSearch,
  type IndexSize,
  type News,
  NOTHING_READ,
  type RatesQuery,
} from "../index-calls.ts";
import { SQLITE } from "./sqlite-dialect.ts";
import { openIndexFile, openKeptFile } from "./index-file.ts";
import { isOf, metaOf, setMeta } from "./index-meta.ts";
import { DELETED_TOGETHER, HEARD_SHARE, ROOM } from "../index-bounds.ts";
import { jobOf, type JobRow } from "../index-rows.ts";
import type { IndexedJob } from "../indexed-job.ts";
import { lookedUp } from "../looked-up.ts";
import { JobTable } from "./job-table.ts";
import { knownValues } from "./known-values.ts";

/** An index in a SQLite file. Everything blocks, so it runs in a thread: `index-worker.ts`. */
export class IndexStore {
  readonly #database: DatabaseSync;
  readonly #rates = new EndedRates((sql) => this.#prepare(sql));
  readonly #causes = new FailureCauses((sql) => this.#prepare(sql));
  readonly #heard: HeardTable;
  readonly #jobs: JobTable;
  readonly #statements = new Map<string, StatementSync>();

  private constructor(database: DatabaseSync, maxBytes = Number.POSITIVE_INFINITY) {
    this.#heard = new HeardTable((sql) => this.#prepare(sql), maxBytes * HEARD_SHARE);
    this.#jobs = new JobTable((sql) => this.#prepare(sql), this.#causes, this.#heard);
    this.#database = database;
  }

  /**
   * The index of a file, which nobody else may keep: see `openIndexFile`.
   *
   * @param maxBytes of which what was heard and is in no stream may take a part
   * @throws Error where the file has something else in it
   */
  static open(path: string, identity: string, maxBytes?: number): IndexStore {
    return new IndexStore(openIndexFile(path, identity), maxBytes);
  }

  /**
   * The index that another process keeps, to be read.
   *
   * @throws Error where it is an index of something else, or is not made to its end
   */
  static ofAnother(path: string, identity: string): IndexStore {
    const database = openKeptFile(path);
    let isIt = false;
    try {
      isIt = isOf(database, identity);
    } finally {
      if (!isIt) database.close();
    }
    if (isIt) return new IndexStore(database);
    throw new Error(
      "another process keeps it, of another fleet, with other secrets to hide, or in another version",
    );
  }

  get cursors(): Cursors {
    const stored = metaOf(this.#database, "cursors");
    return stored === undefined ? NOTHING_READ : (JSON.parse(stored) as Cursors);
  }

  write(news: readonly News[], cursors: Cursors): void {
    this.#together(() => {
      for (const one of news) {
        if (one.kind === "record") {
          this.#rates.count(one);
          this.#causes.count(one);
        }
        this.#jobs.learn(one);
      }
      setMeta(this.#database, "cursors", JSON.stringify(cursors));
    });
  }

  dropGone(queue: string, oldest: number, newest: number): void {
    this.#delete(this.#jobs.gone(queue, oldest, newest));
  }

  search(asked: IndexSearch): {
    readonly jobs: readonly IndexedJob[];
    readonly more: boolean;
  } {
    const { where, values, fits } = lookedUp(asked, SQLITE);
    const rows = this.#database
      .prepare(`select * from job ${where} order by at desc, key desc`)
      .iterate(...values);
    const jobs: IndexedJob[] = [];
    for (const row of rows) {
      const job = jobOf(row as unknown as JobRow);
      if (!fits(job)) continue;
      if (jobs.length === asked.limit) return { jobs, more: true };
      jobs.push(job);
    }
    return { jobs, more: false };
  }

  known(): KnownValues {
    return knownValues((sql) => this.#prepare(sql));
  }

  rates(query: RatesQuery): readonly EndedRate[] {
    return this.#rates.list(query);
  }

  failures(query: AskedFailures): readonly FailureGroup[] {
    return this.#causes.list(query);
  }

  size(): IndexSize {
    const [row] = this.#prepare("select count(*) as jobs, min(at) as oldest from job").all();
    const oldest = row?.["oldest"];
    return {
      jobs: Number(row?.["jobs"] ?? 0),
      bytes: this.bytes,
      ...(typeof oldest === "number" ? { oldestAt: oldest } : {}),
    };
  }

  /** What is in use of the file. */
  get bytes(): number {
    const pragma = (name: string): number =>
      Number(Object.values(this.#database.prepare(`pragma ${name}`).get() ?? {})[0] ?? 0);
    return (pragma("page_count") - pragma("freelist_count")) * pragma("page_size");
  }

  /** Deletes what is older, and then the oldest while there is too much. The file gets shorter. */
  prune(before: number, heardBefore: number, maxBytes: number): void {
    // On a full disk there is room for that which follows.
    this.#database.exec("pragma wal_checkpoint(truncate)");
    this.#heard.forget(heardBefore);
    this.#rates.forget(before);
    this.#together(() => this.#causes.forget(before));
    while (this.#delete(this.#jobs.oldest(DELETED_TOGETHER, before)) === DELETED_TOGETHER);
    // Of no job that is in the index: the first to go.
    const tooMuch = this.bytes - maxBytes;
    if (tooMuch > 0) this.#together(() => this.#heard.shrink(tooMuch + (1 - ROOM) * maxBytes));
    for (let left = this.size(); left.bytes > maxBytes && left.jobs > 0; left = this.size()) {
      const many = Math.ceil(left.jobs * (1 - (ROOM * maxBytes) / left.bytes));
      for (let more = many; more > 0; more -= DELETED_TOGETHER)
        this.#delete(this.#jobs.oldest(Math.min(more, DELETED_TOGETHER)));
      // Until it is put together anew, the index of words keeps what was deleted.
      this.#database.exec("insert into word (word) values ('optimize')");
      // Messages that never repeat make a cause each: they go with their jobs.
      const { oldestAt = Number.MAX_SAFE_INTEGER } = this.size();
      this.#together(() => this.#causes.forget(oldestAt));
    }
    this.#database.exec("pragma incremental_vacuum; pragma wal_checkpoint(truncate)");
  }

  close(): void {
    this.#database.close();
  }

  #delete(keys: readonly number[]): number {
    for (let at = 0; at < keys.length; at += DELETED_TOGETHER)
      this.#together(() => this.#jobs.delete(keys.slice(at, at + DELETED_TOGETHER)));
    return keys.length;
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #together(act: () => void): void {
    this.#database.exec("begin immediate");
    try {
      act();
      this.#database.exec("commit");
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("rollback");
      this.#heard.recount();
      throw error;
    }
  }
}
