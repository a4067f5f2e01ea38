import { chmodSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { KnownValues } from "../filter/complete-filter.ts";
import { filterTest } from "../filter/filter-test.ts";
import { readFilter } from "../filter/read-filter.ts";
import { type IndexedJob, INDEX_FIELDS } from "./indexed-job.ts";
import {
  type Cargo,
  type Cursors,
  type EndedRate,
  type IndexSearch,
  type IndexSize,
  type News,
  NOTHING_READ,
  type RatesQuery,
} from "./index-calls.ts";
import {
  jobOf,
  type JobRow,
  leafRows,
  type NewRow,
  rowOf,
  withCargo,
  wordsOf,
} from "./index-rows.ts";
import { SCHEMA, SCHEMA_VERSION } from "./index-schema.ts";
import { EndedRates } from "./ended-rates.ts";
import { knownValues } from "./known-values.ts";
import { narrow } from "./narrow.ts";

const COLUMNS = [
  ...["queue", "id", "name", "state", "attempts", "at", "created_at", "life", "record", "arrival"],
  ...["node", "duration_ms", "error_type", "error_message", "reason", "trace_id", "tags"],
  ...["payload", "words"],
] as const;
/** A row that is deleted. */
type Doomed = Pick<JobRow, "key" | "payload">;

/** Rows that one statement deletes. */
const PRUNE_BATCH = 1_000;
/** Of what is allowed, so much is left full, so that it is not soon too much again. */
const ROOM = 0.9;

/** An index in a SQLite file. Everything blocks, so it runs in a thread: `index-worker.ts`. */
export class IndexStore {
  readonly #database: DatabaseSync;
  readonly #rates = new EndedRates((sql) => this.#prepare(sql));
  readonly #statements = new Map<string, StatementSync>();

  /**
   * @param path empty: a file without a name, which goes with the process
   * @param identity what it is an index of; one of something else is made anew
   */
  constructor(path: string, identity: string) {
    if (path !== "") mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#database = new DatabaseSync(path);
    // What was asked for is there again after a crash, or is read again from the streams.
    this.#database.exec(
      "pragma busy_timeout = 5000; pragma journal_mode = wal; pragma synchronous = off; pragma auto_vacuum = incremental",
    );
    // Payloads are nobody else's to read.
    if (path !== "") chmodSync(path, 0o600);
    if (this.#meta("version") !== SCHEMA_VERSION || this.#meta("identity") !== identity)
      this.#make(identity);
  }

  get cursors(): Cursors {
    const stored = this.#meta("cursors");
    return stored === undefined ? NOTHING_READ : (JSON.parse(stored) as Cursors);
  }

  write(news: readonly News[], cursors: Cursors): void {
    this.#together(() => {
      for (const one of news) {
        if (one.kind === "record") this.#rates.count(one);
        this.#learn(one);
      }
      this.#setMeta("cursors", JSON.stringify(cursors));
    });
  }

  dropGone(queue: string, oldest: number, newest: number): void {
    this.#together(() => {
      const gone = this.#prepare(
        "select key, payload from job where queue = ? collate nocase and state = 'queued' and (arrival < ? or arrival > ?)",
      ).all(queue, oldest, newest) as unknown as readonly Doomed[];
      for (const one of gone) this.#delete(one);
    });
  }

  search({ filter, state, queue, limit, now }: IndexSearch): {
    readonly jobs: readonly IndexedJob[];
    readonly more: boolean;
  } {
    const tree = filter === undefined ? undefined : readFilter(filter);
    const fits = tree === undefined ? () => true : filterTest(tree, now, INDEX_FIELDS);
    const narrowed = tree === undefined ? undefined : narrow(tree, now);
    const wanted = [
      ...(state === undefined ? [] : [{ sql: "state = ?", values: [state] }]),
      ...(queue === undefined ? [] : [{ sql: "queue = ? collate nocase", values: [queue] }]),
      ...(narrowed === undefined ? [] : [narrowed]),
    ];
    const where =
      wanted.length === 0 ? "" : `where ${wanted.map((one) => `(${one.sql})`).join(" and ")}`;
    const rows = this.#database
      .prepare(`select * from job ${where} order by at desc, key desc`)
      .iterate(...wanted.flatMap((one) => one.values));
    const jobs: IndexedJob[] = [];
    for (const row of rows) {
      const job = jobOf(row as unknown as JobRow);
      if ((queue !== undefined && job.queue !== queue) || !fits(job)) continue;
      if (jobs.length === limit) return { jobs, more: true };
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

  size(): IndexSize {
    const [row] = this.#prepare("select count(*) as jobs, min(at) as oldest from job").all();
    const oldest = row?.["oldest"];
    return {
      jobs: Number(row?.["jobs"] ?? 0),
      bytes: this.#bytes(),
      ...(typeof oldest === "number" ? { oldestAt: oldest } : {}),
    };
  }

  /** Deletes what is older, and then the oldest while there is too much. */
  prune(before: number, heardBefore: number, maxBytes: number): void {
    this.#prepare("delete from heard where at < ?").run(heardBefore);
    this.#rates.forget(before);
    while (this.#pruneSome("where at < ?", [before], PRUNE_BATCH) === PRUNE_BATCH);
    for (let left = this.size(); left.bytes > maxBytes && left.jobs > 0; left = this.size()) {
      const many = Math.ceil(left.jobs * (1 - (ROOM * maxBytes) / left.bytes));
      for (let more = many; more > 0; more -= PRUNE_BATCH)
        this.#pruneSome("", [], Math.min(more, PRUNE_BATCH));
      // Until it is put together anew, the index of words keeps what was deleted.
      this.#database.exec("insert into word (word) values ('optimize')");
    }
    this.#database.exec("pragma incremental_vacuum");
  }

  clear(): void {
    this.#make(this.#meta("identity") ?? "");
  }

  close(): void {
    this.#database.close();
  }

  #learn(news: News): void {
    const found = this.#find(news);
    const isSame =
      found !== undefined &&
      (news.createdAt === 0 || news.createdAt === found.created_at) &&
      (news.life === found.life || news.kind === "heard" || news.kind === "cargo");
    const isLater =
      found === undefined ||
      news.createdAt > found.created_at ||
      (news.createdAt === found.created_at && news.life > found.life);
    switch (news.kind) {
      case "heard":
        if (found !== undefined && isSame) this.#load(found, news.cargo);
        else if (isLater) this.#remember(news);
        return;
      case "cargo":
        // A letter does not say of which enqueue it is.
        if (found !== undefined && isSame && (news.createdAt > 0 || found.state === "dead"))
          this.#load(found, news.cargo);
        else if (found === undefined && news.job !== undefined)
          this.#put(undefined, withCargo(rowOf(news.job, placeOf(news, 0, 0)), news.cargo));
        return;
      case "record":
        if (found !== undefined && isSame && news.position > found.record)
          this.#put(found, {
            ...rowOf(news.job, placeOf(news, news.position, found.arrival)),
            ...{ created_at: found.created_at, tags: found.tags, payload: found.payload },
          });
        else if (isLater) {
          const row = rowOf(news.job, placeOf(news, news.position, 0));
          const isNextLife = found !== undefined && found.created_at === news.createdAt;
          this.#put(found, isNextLife ? { ...row, tags: found.tags, payload: found.payload } : row);
        }
        return;
      case "arrival":
        if (found !== undefined && isSame) {
          this.#prepare("update job set arrival = max(arrival, ?) where key = ?").run(
            ...[news.position, found.key],
          );
          this.#load(found, news.job);
        } else if (isLater) {
          const row = rowOf(news.job, placeOf(news, found?.record ?? 0, news.position));
          this.#put(found, withCargo(row, news.job));
        }
    }
  }

  /** What it carries, where nobody has said so yet. */
  #load(found: JobRow, cargo: Cargo): void {
    if (found.payload !== null || cargo.payload === undefined) return;
    this.#put(found, withCargo(found, cargo));
  }

  #remember({ queue, id, createdAt, at, cargo }: Extract<News, { readonly kind: "heard" }>): void {
    this.#prepare(
      "insert or replace into heard (queue, id, created_at, at, cargo) values (?, ?, ?, ?, ?)",
    ).run(queue, id, createdAt, Math.trunc(at), JSON.stringify(cargo));
  }

  #put(found: JobRow | undefined, given: NewRow): void {
    const loaded = given.payload === null ? withCargo(given, this.#heardOf(given)) : given;
    const row: NewRow = { ...loaded, words: wordsOf(loaded) };
    const values = COLUMNS.map((column) => row[column]);
    let key = found?.key;
    if (key === undefined) {
      const marks = COLUMNS.map(() => "?").join(", ");
      const { lastInsertRowid } = this.#prepare(
        `insert into job (${COLUMNS.join(", ")}) values (${marks})`,
      ).run(...values);
      key = Number(lastInsertRowid);
    } else {
      const sets = COLUMNS.map((column) => `${column} = ?`).join(", ");
      this.#prepare(`update job set ${sets} where key = ?`).run(...values, key);
    }
    if (row.words !== found?.words) {
      if (found !== undefined) this.#prepare("delete from word where rowid = ?").run(key);
      this.#prepare("insert into word (rowid, words) values (?, ?)").run(key, row.words);
    }
    if (row.payload !== (found?.payload ?? null)) {
      if (found !== undefined) this.#deleteLeaves(key, found);
      const insert = this.#prepare(
        "insert or ignore into leaf (path, value, job) values (?, ?, ?)",
      );
      for (const [path, value] of leafRows(row)) insert.run(path, value, key);
    }
  }

  #heardOf({ queue, id, created_at }: NewRow): Cargo {
    const heard = this.#prepare(
      "select created_at, cargo from heard where queue = ? and id = ?",
    ).get(...[queue, id]);
    if (heard === undefined) return {};
    const of = Number(heard["created_at"]);
    if (of !== 0 && of !== created_at) return {};
    this.#prepare("delete from heard where queue = ? and id = ?").run(queue, id);
    return JSON.parse(String(heard["cargo"])) as Cargo;
  }

  #find({ queue, id }: Pick<News, "queue" | "id">): JobRow | undefined {
    // One index serves this and who looks for an id whatever its letters' case.
    return this.#prepare(
      "select * from job where id = ? collate nocase and queue = ? and id = ?",
    ).get(id, queue, id) as unknown as JobRow | undefined;
  }

  #delete({ key, payload }: Doomed): void {
    this.#deleteLeaves(key, { payload });
    for (const sql of ["delete from word where rowid = ?", "delete from job where key = ?"])
      this.#prepare(sql).run(key);
  }

  /** They are told by the payload, so that none of them needs a place in a second index. */
  #deleteLeaves(key: number, of: Pick<NewRow, "payload">): void {
    const remove = this.#prepare("delete from leaf where path = ? and value = ? and job = ?");
    for (const [path, value] of leafRows(of)) remove.run(path, value, key);
  }

  #pruneSome(where: string, values: readonly number[], most: number): number {
    const rows = this.#prepare(`select key, payload from job ${where} order by at limit ?`).all(
      ...values,
      most,
    ) as unknown as readonly Doomed[];
    this.#together(() => {
      for (const row of rows) this.#delete(row);
    });
    return rows.length;
  }

  #bytes(): number {
    const pragma = (name: string): number =>
      Number(Object.values(this.#database.prepare(`pragma ${name}`).get() ?? {})[0] ?? 0);
    return (pragma("page_count") - pragma("freelist_count")) * pragma("page_size");
  }

  #make(identity: string): void {
    this.#statements.clear();
    for (const table of ["heard", "ended", "waited", "word", "leaf", "job", "meta"])
      this.#database.exec(`drop table if exists ${table}`);
    this.#together(() => {
      this.#database.exec(SCHEMA);
      this.#setMeta("version", SCHEMA_VERSION);
      this.#setMeta("identity", identity);
    });
  }

  #meta(name: string): string | undefined {
    const there = this.#database.prepare("select 1 from sqlite_schema where name = 'meta'").get();
    if (there === undefined) return undefined;
    const row = this.#database.prepare("select value from meta where name = ?").get(name);
    return row === undefined ? undefined : String(row["value"]);
  }

  #setMeta(name: string, value: string): void {
    this.#database
      .prepare("insert or replace into meta (name, value) values (?, ?)")
      .run(name, value);
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
      throw error;
    }
  }
}

function placeOf(
  { createdAt, life }: Pick<News, "createdAt" | "life">,
  record: number,
  arrival: number,
): Pick<NewRow, "created_at" | "life" | "record" | "arrival"> {
  return { created_at: createdAt, life, record, arrival };
}
