import {
  MillraceError,
  optionNames,
  refuseUnknown,
  requireCount,
  requireText,
  shownValue,
  storableJson,
} from "@millrace/core";
import type { Pool } from "pg";
import { isRecord } from "../parse-record.ts";
import type { RecordHandler } from "../record-handler.ts";
import { selectFrom } from "./postgres-query.ts";
import { createTable, deleteOldFrom, insertInto } from "./postgres-schema.ts";

/** Which database and table hold the records, and for how long. */
export interface PostgresOptions {
  /** `postgres://user:password@host/database`. */
  readonly url: string;
  /**
   * With its schema where that isn't the user's own: `audit.executions`. Default
   * `millrace_executions`.
   */
  readonly table?: string;
  /** Records of what was settled longer ago are deleted. Default: 30 days. */
  readonly keepMs?: number;
  /** How long one statement may take. Default 10 s. */
  readonly timeoutMs?: number;
}

const NAMES = optionNames<PostgresOptions>({
  ...{ url: true, table: true, keepMs: true, timeoutMs: true },
});
const PRUNE_BATCH = 5_000;

/**
 * Records in a table of a PostgreSQL database, from version 12, by the package `pg`, which you
 * install. The table is made where it isn't there.
 *
 * @example executionRecords({ handlers: [postgresRecords({ url: process.env.DATABASE_URL })] })
 * @throws MillraceError `invalid-option`, also for a table's name that isn't one
 */
export function postgresRecords(options: PostgresOptions): RecordHandler {
  const {
    url,
    table = "millrace_executions",
    keepMs = 30 * 86_400_000,
    timeoutMs = 10_000,
  } = options;
  refuseUnknown(options, NAMES, "postgresRecords()");
  requireText(url, "url");
  requireCount(keepMs, "keepMs");
  requireCount(timeoutMs, "timeoutMs");
  if (!/^([a-z_][a-z0-9_]{0,39}\.)?[a-z_][a-z0-9_]{0,39}$/.test(table))
    throw new MillraceError(
      "invalid-option",
      `table must be a name in small letters, such as executions or audit.executions; got ${shownValue(table)}.`,
    );
  let pool: Promise<Pool> | undefined;
  let isReady = false;

  async function run(text: string, values: unknown[] = []): Promise<Result> {
    try {
      const connected = await (pool ??= openPool(url, timeoutMs));
      const { rows, rowCount } = await connected.query<{ record?: unknown }>(text, values);
      return { rows, count: rowCount ?? 0 };
    } catch (error) {
      throw asRecordError(error);
    }
  }

  async function ensureTable(): Promise<void> {
    if (isReady) return;
    // Asked first: who may only insert could not even say `create table if not exists`.
    const { rows } = await run("select 1 as there where to_regclass($1) is not null", [table]);
    if (rows.length === 0) await run(createTable(table));
    isReady = true;
  }

  return {
    name: "postgres",
    async write(records) {
      await ensureTable();
      await run(insertInto(table), [storableJson(records)]);
    },
    async query(query) {
      const { text, values } = selectFrom(table, query);
      const { rows } = await run(text, values);
      return rows.map(({ record }) => record).filter(isRecord);
    },
    async prune(now) {
      await ensureTable();
      let deleted = PRUNE_BATCH;
      while (deleted === PRUNE_BATCH)
        deleted = (await run(deleteOldFrom(table), [now - keepMs, PRUNE_BATCH])).count;
    },
    async close() {
      const open = pool;
      pool = undefined;
      await (await open)?.end();
    },
  };
}

interface Result {
  readonly rows: readonly { readonly record?: unknown }[];
  readonly count: number;
}

async function openPool(url: string, timeoutMs: number): Promise<Pool> {
  const { default: pg } = await import("pg").catch((cause: unknown) => {
    throw new MillraceError(
      "record-store-failed",
      "Records in PostgreSQL need the package pg: install it beside millrace (npm install pg).",
      { cause },
    );
  });
  const pool = new pg.Pool({
    connectionString: url,
    // Calls never overlap.
    max: 1,
    connectionTimeoutMillis: Math.min(timeoutMs, 5_000),
    statement_timeout: timeoutMs,
    // A server that is gone without a word answers nothing, not even that a statement took too
    // long.
    query_timeout: timeoutMs + 1_000,
    application_name: "millrace-records",
    allowExitOnIdle: true,
  });
  // A connection that breaks while it is idle; the next statement gets another.
  pool.on("error", () => {});
  return pool;
}

/** What is wrong with the data itself is wrong however often it is sent. */
function asRecordError(error: unknown): MillraceError {
  if (MillraceError.is(error)) return error;
  const sqlState =
    typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  const message = error instanceof Error && error.message !== "" ? error.message : sqlState;
  return /^2[23]/.test(sqlState)
    ? new MillraceError("record-refused", `PostgreSQL refuses a record: ${message}.`)
    : new MillraceError("record-store-failed", `The records' PostgreSQL failed: ${message}.`);
}
