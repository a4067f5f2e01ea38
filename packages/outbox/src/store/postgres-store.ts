import { type Clock, optionNames, refuseUnknown, requireText, systemClock } from "@millrace/core";
import type { Pool } from "pg";
import type { Row } from "../database/transaction.ts";
import { asParameter } from "../rows/stored-job.ts";
import { adoptTableSql } from "../schema/adopt-table.ts";
import { POSTGRES_SCHEMA } from "../schema/postgres.ts";
import type { Claim, DoneQuery, DoneRecord, OutboxStore } from "./outbox-store.ts";
import { asOutboxError } from "./outbox-error.ts";
import { listenTo, literal, openPool } from "./postgres-connections.ts";
import { asRow, asSetAside, asStatus } from "./read-rows.ts";
import * as sql from "./postgres-statements.ts";

/** Where the database of an outbox is. */
export interface PostgresOutboxOptions {
  /** `postgres://user:password@host/database`. */
  readonly url: string;
  readonly clock?: Clock;
}

/** No table, no column. */
const UNMIGRATED: ReadonlySet<string> = new Set(["42P01", "42703"]);

/** For a lock, in this transaction: whoever comes after waits too, and that is every writer. */
const WAIT_BRIEFLY = "SELECT set_config('lock_timeout', '5s', true)";

const failed = (error: unknown) => asOutboxError(error, ({ code }) => UNMIGRATED.has(code));

const NAMES = optionNames<PostgresOutboxOptions>({ url: true, clock: true });

/**
 * An outbox in a PostgreSQL database, from version 13, by the package `pg`, for a relay.
 *
 * @throws MillraceError `invalid-option`
 * @example
 * const store = postgresOutbox({ url: process.env.DATABASE_URL });
 * await using relay = await startRelay({ broker: millrace.broker, store });
 */
export function postgresOutbox(options: PostgresOutboxOptions): OutboxStore {
  const { url, clock = systemClock } = checked(options);
  let pool: Promise<Pool> | undefined;

  async function run(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    try {
      const connected = await (pool ??= openPool(url));
      const { rows } = await connected.query<Row>(text, [...values]);
      return rows;
    } catch (error) {
      throw failed(error);
    }
  }

  /**
   * Several statements in one message, which takes no parameters: all of them or none. Where they
   * fail the pool drops the connection, and with it a transaction that they have begun themselves.
   *
   * @returns the rows of each
   */
  async function runAll(statements: string): Promise<readonly (readonly Row[])[]> {
    try {
      // By the pool: it hears a connection break at any time, and who borrows one does not.
      const answers: unknown = await (await (pool ??= openPool(url))).query(statements);
      return (answers as readonly { readonly rows: readonly Row[] }[]).map(({ rows }) => rows);
    } catch (error) {
      throw failed(error);
    }
  }

  return {
    migrate: async () => void (await runAll(`${WAIT_BRIEFLY};${POSTGRES_SCHEMA}`)),
    adopt: async (table) => void (await runAll(adoptTableSql(table))),
    queues: async () => (await run(sql.QUEUES)).map(({ queue }) => String(queue)),
    async mark(queue) {
      await run(sql.ENSURE_QUEUE, [queue]);
      return String((await run(sql.MARK, [queue]))[0]?.["mark"]);
    },
    async claim(queue, limits) {
      const name = await literal(queue);
      const [made, rows = []] = await runAll(`${sql.claim(name, limits)};${sql.claimed(name)}`);
      return asClaim(rows, made?.[0]?.["claim"]);
    },
    setAside: async (queue, claim, rows) =>
      void (await run(sql.ASIDE, [queue, claim.id, JSON.stringify(rows)])),
    async replace(queue, claim, seq, jobs) {
      const rows = await run(sql.REPLACE, [queue, claim.id, seq, asParameter(jobs, "base64")]);
      return rows.length > 0;
    },
    async finish(queue, claim, setAside) {
      const aside = new Set(setAside.map(({ seq }) => seq));
      const published = claim.rows.map(({ seq }) => seq).filter((seq) => !aside.has(seq));
      await run(sql.FINISH, [queue, claim.id, JSON.stringify(setAside), published]);
    },
    note: async (queue, trouble) => void (await run(sql.NOTE, [queue, trouble ?? null])),
    status: async () => (await run(sql.STATUS)).map(asStatus),
    listSetAside: async (limit) => (await run(sql.SET_ASIDE, [limit])).map(asSetAside),
    async retry(queue) {
      const of = queue === undefined ? "NULL" : await literal(queue);
      return (await runAll(`${sql.lockClaims(of)};${sql.retry(of)}`))[1]?.length ?? 0;
    },
    done: async (query) => (await run(sql.DONE, donePage(query))).map(asDone),
    noteGone: async (records, isGone) =>
      void (await run(sql.NOTE_GONE, [JSON.stringify(records), isGone])),
    forgetDone: async (records) => void (await run(sql.FORGET_DONE, [JSON.stringify(records)])),
    batches: async ({ olderThanMs, after, limit }) =>
      (await run(sql.BATCHES, [olderThanMs / 1_000, after ?? null, limit])).map(({ id }) =>
        String(id),
      ),
    forgetBatches: async (ids) => void (await run(sql.FORGET_BATCHES, [ids])),
    setIdle: async (idle) => void (await run(sql.SET_IDLE, [idle])),
    listen: (onRows) => listenTo(url, clock, onRows),
    async close() {
      const open = pool;
      pool = undefined;
      await (await open)?.end();
    },
  };
}

function checked(options: PostgresOutboxOptions): PostgresOutboxOptions {
  refuseUnknown(options, NAMES, "postgresOutbox()");
  requireText(options.url, "url");
  return options;
}

/**
 * @param rows of a claim, each with the claim; one without a row where all of them are gone
 * @param made the claim that was made just now, if so
 */
function asClaim(rows: readonly Row[], made: unknown): Claim | undefined {
  const [first] = rows;
  if (first === undefined) return undefined;
  return {
    id: String(first["claim"]),
    ageMs: Math.max(0, Number(first["age"])),
    isNew: first["claim"] === made,
    rows: rows.filter(({ seq }) => seq !== null).map(asRow),
  };
}

function donePage({ olderThanMs, after, limit }: DoneQuery): readonly unknown[] {
  const from = [after?.place, after?.queue, after?.id, after?.enqueuedAt];
  return [olderThanMs / 1_000, ...from.map((value) => value ?? null), limit];
}

function asDone(row: Row): DoneRecord {
  const gone = row["gone_age"];
  return {
    queue: String(row["queue"]),
    id: String(row["job_id"]),
    enqueuedAt: Number(row["enqueued_at"]),
    ageMs: Number(row["age"]),
    ...(gone === null ? {} : { goneForMs: Number(gone) }),
    place: String(row["place"]),
  };
}
