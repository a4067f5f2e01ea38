import { MillraceError } from "@millrace/core";
import type { Pool, PoolClient } from "pg";
import { FilterError } from "../../filter/filter-error.ts";

const CONNECT_MS = 5_000;
const STATEMENT_MS = 30_000;
/** One writes, and people search meanwhile. */
const CONNECTIONS = 4;
/** A process that stands still in a transaction keeps nobody from going on. */
const IDLE_MS = 10_000;

export type Row = Readonly<Record<string, unknown>>;

/** What statements are run with: any connection, or that of a transaction. */
export interface Session {
  query(text: string, values?: readonly unknown[]): Promise<readonly Row[]>;
}

/** The database in which an index is kept. */
export class PostgresDatabase implements Session {
  readonly #pool: Pool;
  #ended: Promise<void> | undefined;

  private constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** Connects with the first statement. @throws MillraceError `index-failed` without `pg` */
  static async at(url: string): Promise<PostgresDatabase> {
    const { default: pg } = await import("pg").catch((cause: unknown) => {
      throw new MillraceError(
        "index-failed",
        "An index of jobs in PostgreSQL needs the package pg: install it beside millrace (npm install pg).",
        { cause },
      );
    });
    const pool = new pg.Pool({
      connectionString: url,
      max: CONNECTIONS,
      connectionTimeoutMillis: CONNECT_MS,
      statement_timeout: STATEMENT_MS,
      // A server that is gone without a word answers nothing, not even that it took too long.
      query_timeout: STATEMENT_MS + 1_000,
      idle_in_transaction_session_timeout: IDLE_MS,
      keepAlive: true,
      application_name: "millrace-index",
      allowExitOnIdle: true,
    });
    // A connection that breaks while it is idle; the next statement gets another.
    pool.on("error", () => {});
    return new PostgresDatabase(pool);
  }

  async query(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    return rowsOf(this.#pool, text, values);
  }

  /** All that is run in it, or nothing. */
  async transaction<T>(run: (session: Session) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let broken: Error | undefined;
    // One that breaks between two statements says so here; the next statement says it as well.
    const lose = (error: Error): void => {
      broken = error;
    };
    client.on("error", lose);
    try {
      await client.query("begin");
      const result = await run({ query: (text, values = []) => rowsOf(client, text, values) });
      await client.query("commit");
      return result;
    } catch (error) {
      await client.query("rollback").catch((lost: Error) => {
        broken ??= lost;
      });
      throw error;
    } finally {
      client.off("error", lose);
      client.release(broken);
    }
  }

  end(): Promise<void> {
    return (this.#ended ??= this.#pool.end());
  }
}

async function rowsOf(
  by: Pool | PoolClient,
  text: string,
  values: readonly unknown[],
): Promise<readonly Row[]> {
  const { rows } = await by.query<Row>(text, [...values]);
  return rows;
}

/** What a database said, as the one error family. */
export function asIndexError(error: unknown): MillraceError | FilterError {
  if (MillraceError.is(error) || error instanceof FilterError) return error;
  const state = stateOf(error);
  const message = error instanceof Error && error.message !== "" ? error.message : state;
  const advice =
    state === "42501" ? " Its user makes a schema in it: grant create on database … to …." : "";
  return new MillraceError(
    "index-failed",
    `The index of jobs in PostgreSQL can't be used: ${message}.${advice}`,
    { cause: error },
  );
}

/**
 * Whether the database may be there in a while: nobody answered, or it starts, or has no connection
 * to spare.
 */
export function isOutage(error: unknown): boolean {
  if (!MillraceError.is(error, "index-failed") || !(error.cause instanceof Error)) return false;
  const state = stateOf(error.cause);
  return !SQL_STATE.test(state) || /^(?:08|53|57)/.test(state);
}

const SQL_STATE = /^[0-9A-Z]{5}$/;

/** The schema or a table is gone: another one dropped an index that nobody seemed to use. */
export function isGone(error: unknown): boolean {
  return ["3F000", "42P01"].includes(stateOf(error));
}

function stateOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}

/** `$1`, `$2` … for each `?`, which no condition has in a text. */
export function numbered(sql: string): string {
  let at = 0;
  return sql.replaceAll("?", () => `$${(at += 1)}`);
}
