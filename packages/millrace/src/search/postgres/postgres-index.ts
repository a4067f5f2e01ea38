import { MillraceError, storable } from "@millrace/core";
import {
  type AskedIndex,
  type Cursors,
  type IndexCallName,
  type IndexCalls,
  type IndexSearch,
  type IndexSize,
  type News,
  NOTHING_READ,
} from "../index-calls.ts";
import { jobOf } from "../index-rows.ts";
import type { IndexedJob } from "../indexed-job.ts";
import { lookedUp } from "../looked-up.ts";
import { CauseCounts, listCauses } from "./cause-counts.ts";
import { type Act, boundHeard, dropGone, prune } from "./forgotten-rows.ts";
import { type Grown, JOB_COLUMNS, jobRowOf, JobRows } from "./job-rows.ts";
import {
  answeredWithin,
  asIndexError,
  END_MS,
  isGone,
  numbered,
  PostgresDatabase,
  type Session,
} from "./postgres-database.ts";
import { POSTGRES } from "./postgres-dialect.ts";
import { knownOf } from "./known-columns.ts";
import { type IndexState, PostgresLease } from "./postgres-lease.ts";
import { listRates, RateCounts } from "./rate-counts.ts";
import { schemaOf, TABLES } from "./postgres-schema.ts";

/** News that are read, changed and written together. */
const PAGE = 100;
/** Connections for people's searches, and how long one waits for others. */
const READERS = 4;
const READER_MS = 30_000;
const KEEPER_MS = 10_000;
/** Rows of a search that are looked at together. */
const FIRST_ROWS = 100;
const MORE_ROWS = 200;

type Calls = {
  readonly [Name in IndexCallName]: (
    given: Parameters<IndexCalls[Name]>[0],
  ) => Promise<ReturnType<IndexCalls[Name]>>;
};

/** An index in a PostgreSQL database, which several processes share: one of them keeps it. */
export class PostgresIndex implements AskedIndex {
  readonly #database: PostgresDatabase;
  /** Whoever keeps the index waits for no search. */
  readonly #readers: PostgresDatabase;
  #schema = "";
  #lease: PostgresLease | undefined;
  #isKept = false;
  #ended: Promise<void> | undefined;
  /** What was written last may be there or not: where it is, is read before more is written. */
  #isOpen = false;
  /** How far it is by what was written last. A database may come back as it was before that. */
  #cursors = "";
  #maxBytes = Number.POSITIVE_INFINITY;

  private constructor(database: PostgresDatabase, readers: PostgresDatabase) {
    this.#database = database;
    this.#readers = readers;
  }

  /** @throws MillraceError `index-failed` where the package `pg` is not there */
  static async start(url: string): Promise<PostgresIndex> {
    return new PostgresIndex(
      await PostgresDatabase.at(url, 1, KEEPER_MS),
      await PostgresDatabase.at(url, READERS, READER_MS),
    );
  }

  async ask<Name extends IndexCallName>(
    name: Name,
    given: Parameters<IndexCalls[Name]>[0],
  ): Promise<ReturnType<IndexCalls[Name]>> {
    try {
      return await this.#calls[name](given);
    } catch (error) {
      throw asIndexError(error);
    }
  }

  /** Whoever closes it waits for no answer of a database that is frozen. */
  breakOff(): void {
    void this.end();
  }

  end(): Promise<void> {
    return (this.#ended ??= this.#end());
  }

  async #end(): Promise<void> {
    // A lease that can't be given back ends by itself.
    await answeredWithin(END_MS, this.#calls.close({}));
    await Promise.all([this.#database.end(), this.#readers.end()]);
  }

  readonly #calls: Calls = {
    open: async ({ identity, maxBytes }) => {
      this.#maxBytes = maxBytes;
      const schema = schemaOf(identity);
      if (schema !== this.#schema)
        this.#lease = new PostgresLease(this.#database, schema, namespaceOf(identity));
      this.#schema = schema;
      const { state, isKept } = await this.#opened.take();
      this.#isKept = isKept;
      this.#isOpen = true;
      this.#cursors = JSON.stringify(state.cursors);
      return { cursors: state.cursors, isKept };
    },
    isOpen: () => this.#goOn(),
    write: async ({ news, cursors }) => {
      const isTooLarge = await this.#keeping(async (session, state) => {
        if (JSON.stringify(state.cursors) !== this.#cursors)
          throw new MillraceError(
            "index-failed",
            "The database of the index of jobs is not as it was: it is read on from where it is.",
          );
        const grown = await this.#learn(session, news);
        grown.heardBytes += await boundHeard(
          session,
          this.#schema,
          state.heardBytes + grown.heardBytes,
          this.#maxBytes,
        );
        const bytes = await this.#grow(session, state, grown, cursors);
        return bytes > this.#maxBytes;
      });
      this.#cursors = JSON.stringify(cursors);
      return isTooLarge;
    },
    dropGone: async (given) => {
      await dropGone(this.#schema, given, (act) => this.#changing(act));
    },
    search: (given) => this.#search(given),
    known: () => knownOf(this.#readers, this.#schema),
    size: () => this.#size(),
    rates: (given) => listRates(this.#readers, this.#schema, given),
    failures: (given) =>
      this.#readers.transaction((session) => listCauses(session, this.#schema, given)),
    prune: (given) =>
      prune(
        { schema: this.#schema, maxBytes: this.#maxBytes, ...given },
        {
          change: (act) => this.#changing(act),
          look: () => this.#keeping((_session, state) => Promise.resolve(state)),
        },
      ),
    clear: async () => {
      await this.#keeping(async (session) => {
        await session.query(
          `truncate ${TABLES.map((table) => `${this.#schema}.${table}`).join(", ")}`,
        );
        await session.query(
          `update ${this.#schema}.state set cursors = $1, jobs = 0, bytes = 0, heard_bytes = 0`,
          [JSON.stringify(NOTHING_READ)],
        );
      });
      this.#cursors = JSON.stringify(NOTHING_READ);
    },
    close: async () => {
      this.#isOpen = false;
      if (this.#isKept) await this.#lease?.release();
      this.#isKept = false;
    },
  };

  get #opened(): PostgresLease {
    if (this.#lease !== undefined) return this.#lease;
    throw new MillraceError("index-failed", "The index of jobs was not opened.");
  }

  /** Whether it is open still, and this process keeps it still, if it did. */
  async #goOn(): Promise<boolean> {
    if (!this.#isOpen || !this.#isKept) return this.#isOpen;
    try {
      this.#isOpen = await this.#opened.goOn();
    } catch (error) {
      this.#isOpen = false;
      // Somebody has dropped it. It is made again.
      if (!isGone(error)) throw error;
    }
    return this.#isOpen;
  }

  async #keeping<T>(write: (session: Session, state: IndexState) => Promise<T>): Promise<T> {
    try {
      return await this.#opened.keeping(write);
    } catch (error) {
      this.#isOpen = false;
      throw error;
    }
  }

  #changing(act: Act): Promise<Grown> {
    return this.#keeping(async (session, state) => {
      const grown = await act(session);
      await this.#grow(session, state, grown);
      return grown;
    });
  }

  async #learn(session: Session, news: readonly News[]): Promise<Grown> {
    const rates = new RateCounts();
    const causes = new CauseCounts();
    const all: Grown = { jobs: 0, bytes: 0, heardBytes: 0 };
    for (const one of news) {
      if (one.kind !== "record") continue;
      rates.count(one);
      causes.count(one);
    }
    for (let at = 0; at < news.length; at += PAGE) {
      const rows = new JobRows(this.#schema, session, causes);
      const { jobs, bytes, heardBytes } = await rows.learn(news.slice(at, at + PAGE));
      all.jobs += jobs;
      all.bytes += bytes;
      all.heardBytes += heardBytes;
    }
    await rates.write(session, this.#schema);
    await causes.write(session, this.#schema);
    return all;
  }

  /** @returns how many bytes it has then */
  async #grow(
    session: Session,
    { bytes, heardBytes }: IndexState,
    grown: Grown,
    cursors?: Cursors,
  ): Promise<number> {
    await session.query(
      `update ${this.#schema}.state set cursors = coalesce($1, cursors), jobs = jobs + $2, bytes = bytes + $3, heard_bytes = heard_bytes + $4`,
      [
        cursors === undefined ? null : JSON.stringify(cursors),
        ...[grown.jobs, grown.bytes, grown.heardBytes],
      ],
    );
    return bytes + grown.bytes + heardBytes + grown.heardBytes;
  }

  async #search(
    asked: IndexSearch,
  ): Promise<{ readonly jobs: readonly IndexedJob[]; readonly more: boolean }> {
    const { where, values, fits } = lookedUp(asked, POSTGRES);
    const sql = `select ${JOB_COLUMNS} from ${this.#schema}.job ${where} order by at desc, key desc`;
    const texts = values.map((value) => (typeof value === "string" ? storable(value) : value));
    const found: IndexedJob[] = [];
    // A cursor: what the filter leaves out of what was looked up, nobody knows before.
    return this.#readers.transaction(async (session) => {
      await session.query(`declare found no scroll cursor for ${numbered(sql)}`, texts);
      for (let many = FIRST_ROWS; ; many = MORE_ROWS) {
        const rows = await session.query(`fetch forward ${many} from found`);
        for (const row of rows) {
          const job = jobOf(jobRowOf(row));
          if (!fits(job)) continue;
          if (found.length === asked.limit) return { jobs: found, more: true };
          found.push(job);
        }
        if (rows.length < many) return { jobs: found, more: false };
      }
    });
  }

  async #size(): Promise<IndexSize> {
    const [row] = await this.#readers.query(
      `select jobs, bytes + heard_bytes as bytes, (select min(at) from ${this.#schema}.job) as oldest from ${this.#schema}.state`,
    );
    const oldest = row?.["oldest"];
    return {
      jobs: Number(row?.["jobs"] ?? 0),
      bytes: Number(row?.["bytes"] ?? 0),
      ...(typeof oldest === "number" ? { oldestAt: oldest } : {}),
    };
  }
}

/** Of which fleet it is. */
function namespaceOf(identity: string): string {
  try {
    const [namespace] = JSON.parse(identity) as readonly unknown[];
    return typeof namespace === "string" ? namespace : "";
  } catch {
    return "";
  }
}
