import { randomUUID } from "node:crypto";
import { MillraceError } from "@millrace/core";
import { type Cursors, NOTHING_READ } from "../index-calls.ts";
import { isGone, type PostgresDatabase, type Session } from "./postgres-database.ts";
import { createTables, MAKING } from "./postgres-schema.ts";

/** For so long one that says nothing more keeps an index; it says so every few seconds. */
const LEASE = "interval '20 seconds'";

/** What an index says of itself. */
export interface IndexState {
  readonly cursors: Cursors;
  readonly jobs: number;
  readonly bytes: number;
  readonly heardBytes: number;
}

const STATE = "cursors, jobs, bytes, heard_bytes";

/**
 * Says which process keeps an index. It is a row and not a lock of the connection's: a pooler in
 * between gives each transaction another connection. The database's clock says how late it is.
 */
export class PostgresLease {
  readonly #database: PostgresDatabase;
  readonly #schema: string;
  readonly #namespace: string;
  readonly #keeper = randomUUID();

  constructor(database: PostgresDatabase, schema: string, namespace: string) {
    this.#database = database;
    this.#schema = schema;
    this.#namespace = namespace;
  }

  /** Takes it, or goes on with it, where no other process has it. Makes the tables. */
  async take(): Promise<{ readonly state: IndexState; readonly isKept: boolean }> {
    try {
      return await this.#take();
    } catch (error) {
      if (!isGone(error)) throw error;
      await this.#make();
      return await this.#take();
    }
  }

  async #take(): Promise<{ readonly state: IndexState; readonly isKept: boolean }> {
    // Where its keeper writes now, that one has it: it is not waited for.
    const [kept] = await this.#database.query(
      `update ${this.#schema}.state set keeper = $1, kept_until = clock_timestamp() + ${LEASE}
       where one in (
         select one from ${this.#schema}.state where keeper = $1 or kept_until <= clock_timestamp()
         for update skip locked
       ) returning ${STATE}`,
      [this.#keeper],
    );
    if (kept !== undefined) return { state: stateOf(kept), isKept: true };
    const [read] = await this.#database.query(`select ${STATE} from ${this.#schema}.state`);
    if (read === undefined) throw new MillraceError("index-failed", "The index has no state.");
    return { state: stateOf(read), isKept: false };
  }

  /**
   * What is written by its keeper, all of it or nothing. Nobody takes it meanwhile.
   *
   * @throws MillraceError `index-failed` where another process keeps it now
   */
  keeping<T>(write: (session: Session, state: IndexState) => Promise<T>): Promise<T> {
    return this.#database.transaction(async (session) => {
      const [kept] = await session.query(
        `update ${this.#schema}.state set kept_until = clock_timestamp() + ${LEASE} where keeper = $1 returning ${STATE}`,
        [this.#keeper],
      );
      if (kept === undefined)
        throw new MillraceError("index-failed", "Another process keeps the index of jobs now.");
      const result = await write(session, stateOf(kept));
      // It may have taken long, and nobody had it meanwhile.
      await session.query(
        `update ${this.#schema}.state set kept_until = clock_timestamp() + ${LEASE}`,
      );
      return result;
    });
  }

  /** Whether it is this process's still. It goes on with it then. */
  async goOn(): Promise<boolean> {
    const kept = await this.#database.query(
      `update ${this.#schema}.state set kept_until = clock_timestamp() + ${LEASE} where keeper = $1 returning one`,
      [this.#keeper],
    );
    return kept.length > 0;
  }

  async release(): Promise<void> {
    await this.#database.query(
      `update ${this.#schema}.state set kept_until = clock_timestamp() where keeper = $1`,
      [this.#keeper],
    );
  }

  async #make(): Promise<void> {
    await this.#database.transaction(async (session) => {
      await session.query("select pg_advisory_xact_lock($1)", [MAKING]);
      const [there] = await session.query("select to_regclass($1) is not null as is", [
        `${this.#schema}.state`,
      ]);
      if (there?.["is"] === true) return;
      const [encoding] = await session.query("show server_encoding");
      if (encoding?.["server_encoding"] !== "UTF8")
        throw new MillraceError(
          "index-failed",
          "An index of jobs needs a database with the encoding UTF8: create another one for it.",
        );
      await session.query(createTables(this.#schema));
      await session.query(
        `insert into ${this.#schema}.state (namespace, keeper, kept_until, cursors, jobs, bytes, heard_bytes) values ($1, '', clock_timestamp(), $2, 0, 0, 0)`,
        [this.#namespace, JSON.stringify(NOTHING_READ)],
      );
    });
  }
}

function stateOf(row: Readonly<Record<string, unknown>>): IndexState {
  return {
    cursors: JSON.parse(String(row["cursors"])) as Cursors,
    jobs: Number(row["jobs"]),
    bytes: Number(row["bytes"]),
    heardBytes: Number(row["heard_bytes"]),
  };
}
