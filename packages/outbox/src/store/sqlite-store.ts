import { randomUUID } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { optionNames, refuseUnknown, requireText } from "@millrace/core";
import type { Row } from "../database/transaction.ts";
import { asParameter } from "../rows/stored-job.ts";
import { INSERT_SQLITE } from "../writer/insert.ts";
import { SQLITE_COLUMNS, SQLITE_SCHEMA } from "../schema/sqlite.ts";
import type { Claim, ClaimLimits, OutboxStore } from "./outbox-store.ts";
import { asRow, asSetAside, asStatus } from "./read-rows.ts";
import { SqliteConnection } from "./sqlite-connection.ts";
import * as sql from "./sqlite-statements.ts";

/** Where the database of an outbox is. */
export interface SqliteOutboxOptions {
  /** The database's file. */
  readonly path: string;
}

const NAMES = optionNames<SqliteOutboxOptions>({ path: true });

/**
 * An outbox in a SQLite database, for a relay, by `node:sqlite`. Relays and writers may be in
 * several processes of one machine.
 *
 * @throws MillraceError `invalid-option`
 * @example
 * const store = sqliteOutbox({ path: "shop.db" });
 * await using relay = await startRelay({ broker: millrace.broker, store });
 */
export function sqliteOutbox(options: SqliteOutboxOptions): OutboxStore {
  refuseUnknown(options, NAMES, "sqliteOutbox()");
  const { path } = options;
  requireText(path, "path");
  const connection = new SqliteConnection(path);
  const use: SqliteConnection["use"] = (act) => connection.use(act);
  const run = (text: string, ...values: (string | number | null)[]): Promise<readonly Row[]> =>
    use((opened) => opened.prepare(text).all(...values) as readonly Row[]);

  return {
    migrate: () => use((opened) => atomically(opened, () => migrate(opened))),
    queues: async () => (await run(sql.QUEUES)).map(({ queue }) => String(queue)),
    async mark(queue) {
      await run(sql.ENSURE_QUEUE, queue);
      return String((await run(sql.MARK, queue))[0]?.["mark"]);
    },
    claim: (queue, limits) =>
      use((opened) => {
        // Asked at each look, and a transaction that may write would wait for writers each time.
        if (opened.prepare(sql.WAITS).get(queue, queue) === undefined) return undefined;
        return atomically(opened, () => claim(opened, queue, limits));
      }),
    setAside: (queue, { id }, rows) =>
      use((opened) =>
        atomically(opened, () => {
          const seqs = JSON.stringify(rows.map(({ seq }) => seq));
          if (opened.prepare(sql.WITHOUT).run(seqs, queue, id).changes === 0) return;
          const aside = opened.prepare(sql.ASIDE);
          for (const { seq, reason, detail } of rows) aside.run(reason, detail, seq);
        }),
      ),
    replace: (queue, { id }, seq, jobs) =>
      use((opened) =>
        atomically(opened, () => {
          const row = opened.prepare(sql.HAS).get(queue, id, seq);
          if (row === undefined) return false;
          if (row["kind"] === "batch") opened.prepare(sql.NOTE_BATCH).run(String(row["id"]));
          const seqs = JSON.stringify([seq]);
          opened.prepare(sql.WITHOUT).run(seqs, queue, id);
          opened.prepare(sql.PUBLISHED).run(seqs);
          opened.prepare(INSERT_SQLITE).run(asParameter(jobs, "hex"));
          return true;
        }),
      ),
    finish: (queue, { id, rows }, setAside) =>
      use((opened) =>
        atomically(opened, () => {
          const kept = new Set(setAside.map(({ seq }) => seq));
          const published = rows.map(({ seq }) => seq).filter((seq) => !kept.has(seq));
          const { length } = published;
          if (opened.prepare(sql.FINISH).run(length, length, queue, id).changes === 0) return;
          const aside = opened.prepare(sql.ASIDE);
          for (const { seq, reason, detail } of setAside) aside.run(reason, detail, seq);
          opened.prepare(sql.PUBLISHED).run(JSON.stringify(published));
        }),
      ),
    note: async (queue, trouble) => {
      await run(sql.NOTE, trouble ?? null, trouble ?? null, queue);
    },
    status: async () => (await run(sql.STATUS)).map(asStatus),
    listSetAside: async (limit) => (await run(sql.SET_ASIDE, limit)).map(asSetAside),
    retry: async (queue) => (await run(sql.RETRY, queue ?? null, queue ?? null)).length,
    async batches({ olderThanMs, after = null, limit }) {
      const rows = await run(sql.BATCHES, olderThanMs, after, after, limit);
      return rows.map(({ id }) => String(id));
    },
    forgetBatches: async (ids) => {
      await run(sql.FORGET_BATCHES, JSON.stringify(ids));
    },
    // Nobody is notified: the relay looks by itself.
    setIdle: async () => {},
    close: async () => connection.close(),
  };
}

function migrate(database: DatabaseSync): void {
  database.exec(SQLITE_SCHEMA);
  const there = new Set(
    database
      .prepare(sql.COLUMNS)
      .all()
      .map(({ name }) => name),
  );
  for (const { name, add } of SQLITE_COLUMNS) if (!there.has(name)) database.exec(add);
}

/** Others wait from the start, so that what is read stays true until it is written. */
function atomically<Result>(database: DatabaseSync, act: () => Result): Result {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = act();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

function claim(database: DatabaseSync, queue: string, limits: ClaimLimits): Claim | undefined {
  const { changes } = database
    .prepare(sql.CLAIM)
    .run(randomUUID(), queue, limits.rows, limits.bytes, queue, queue);
  const open = database.prepare(sql.OPEN_CLAIM).get(queue) as Row | undefined;
  if (open === undefined) return undefined;
  return {
    id: String(open["claim"]),
    ageMs: Math.max(0, Number(open["age"])),
    isNew: changes > 0,
    rows: database
      .prepare(sql.CLAIMED)
      .all(queue)
      .map((row) => asRow(row as Row)),
  };
}
