import { MillraceError, systemClock } from "@millrace/core";
import type { Client, Pool, PoolClient } from "pg";
import { FilterError } from "../../filter/filter-error.ts";

const STATEMENT_MS = 30_000;
/** A database that is frozen, or cut off, does not say goodbye. */
export const END_MS = 2_000;
/**
 * A process that stands still in a transaction keeps nobody from going on: whether the database
 * waits for its next statement, or for it to read an answer. They are set in the transaction, not
 * for the connection: a pooler in between refuses that.
 */
const BEGIN = `begin; set local statement_timeout = ${STATEMENT_MS}; set local idle_in_transaction_session_timeout = 10000; set local tcp_user_timeout = 10000`;

export type Row = Readonly<Record<string, unknown>>;

/** What statements are run with: any connection, or that of a transaction. */
export interface Session {
  query(text: string, values?: readonly unknown[]): Promise<readonly Row[]>;
}

/** The database in which an index is kept. */
export class PostgresDatabase implements Session {
  readonly #pool: Pool;
  readonly #connected = new Set<Client>();
  #ended: Promise<void> | undefined;

  private constructor(pool: Pool) {
    this.#pool = pool;
    // A connection that breaks while it is idle; the next statement gets another.
    pool.on("error", () => {});
    pool.on("connect", (client) => this.#connected.add(client));
    pool.on("remove", (client) => this.#connected.delete(client));
  }

  /**
   * Connects with the first statement.
   *
   * @param connections at most. Who finds none free waits for one
   * @param waitMs for so long, or for a new one
   * @throws MillraceError `index-failed` without `pg`; `invalid-option`
   */
  static async at(url: string, connections: number, waitMs: number): Promise<PostgresDatabase> {
    requireAddress(url);
    const { default: pg } = await import("pg").catch((cause: unknown) => {
      throw new MillraceError(
        "index-failed",
        "An index of jobs in PostgreSQL needs the package pg: install it beside millrace (npm install pg).",
        { cause },
      );
    });
    const pool = new pg.Pool({
      connectionString: url,
      max: connections,
      connectionTimeoutMillis: waitMs,
      // A server that is gone without a word answers nothing, not even that it took too long.
      query_timeout: STATEMENT_MS + 1_000,
      keepAlive: true,
      application_name: "millrace-index",
      allowExitOnIdle: true,
    });
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
      await client.query(BEGIN);
      const result = await run({ query: (text, values = []) => rowsOf(client, text, values) });
      await client.query("commit");
      return result;
    } catch (error) {
      // Where the database did not answer, it would not answer this either.
      if (error instanceof Error && !isAnswer(error)) broken ??= error;
      if (broken === undefined)
        await client.query("rollback").catch((lost: Error) => {
          broken = lost;
        });
      throw error;
    } finally {
      client.off("error", lose);
      client.release(broken);
    }
  }

  /** What is under way may end within two seconds; then its connection is broken off. */
  end(): Promise<void> {
    return (this.#ended ??= this.#end());
  }

  async #end(): Promise<void> {
    if (await answeredWithin(END_MS, this.#pool.end())) return;
    for (const { connection } of this.#connected) connection.stream.destroy();
  }
}

/** @throws MillraceError `invalid-option`, in which nothing of it stands */
function requireAddress(url: string): void {
  const parsed = URL.parse(url);
  try {
    if (/^postgres(?:ql)?:$/.test(parsed?.protocol ?? "")) {
      decodeURIComponent(`${parsed?.username}${parsed?.password}${parsed?.pathname}`);
      return;
    }
  } catch {
    // A % that is none.
  }
  throw new MillraceError(
    "invalid-option",
    "postgres must be an address such as postgres://user:password@host/database. Write what is special in a password as %…: # is %23.",
  );
}

/** Whether something ended within this time, however it ended. */
export async function answeredWithin(ms: number, ending: Promise<unknown>): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = systemClock.setTimer(ms, () => late.resolve(false));
  const ended = ending.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([ended, late.promise]);
  } finally {
    timer.cancel();
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
  return !isAnswer(error.cause) || /^(?:08(?!P01)|53|57)/.test(stateOf(error.cause));
}

/** Whether the database said so, or this code. Network errors have codes of their own. */
function isAnswer(error: Error): boolean {
  return MillraceError.is(error) || error instanceof FilterError || SQL_STATE.test(stateOf(error));
}

const SQL_STATE = /^(?!E[A-Z]{4}$)[0-9A-Z]{5}$/;

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
