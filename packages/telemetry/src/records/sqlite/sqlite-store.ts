import { randomUUID } from "node:crypto";
import { closeSync, existsSync, linkSync, mkdirSync, openSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import type { ExecutionRecord } from "../execution-record.ts";
import { parseRecord } from "../parse-record.ts";
import type { RecordQuery } from "../record-handler.ts";

/**
 * Times are epoch milliseconds. `record` is the whole record; the columns are what is looked for.
 */
const SCHEMA = `
create table if not exists millrace_executions (
  record_id text primary key,
  job_id text not null,
  name text not null,
  queue text not null,
  attempt integer not null,
  node text not null,
  state text not null,
  outcome text not null,
  started_at integer,
  at integer not null,
  duration_ms real,
  error_type text,
  trace_id text,
  record text not null
) strict;
create index if not exists millrace_executions_at on millrace_executions (at);
create index if not exists millrace_executions_job on millrace_executions (job_id, at);
`;

const INSERT = `
insert into millrace_executions
  (record_id, job_id, name, queue, attempt, node, state, outcome, started_at, at, duration_ms, error_type, trace_id, record)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict do nothing`;

/** Rows that one statement deletes: others wait for it. */
const PRUNE_BATCH = 5_000;

/** Records in a SQLite file. Everything blocks, so it runs in a thread; see `sqlite-worker.ts`. */
export class SqliteStore {
  readonly #database: DatabaseSync;

  /** @param mode `read` makes nothing and fails where there is no file */
  constructor(path: string, mode: "read" | "write") {
    if (mode === "write" && isFile(path)) makeFile(path);
    this.#database = new DatabaseSync(path, { readOnly: mode === "read" });
    // Other nodes may write the same file.
    this.#database.exec("pragma busy_timeout = 5000");
    if (mode === "read") return;
    // A crash of the process loses nothing with this; one of the machine may lose the last commits,
    // and never more.
    this.#database.exec("pragma journal_mode = wal; pragma synchronous = normal");
    this.#database.exec(SCHEMA);
  }

  write(records: readonly ExecutionRecord[]): void {
    const insert = this.#database.prepare(INSERT);
    this.#database.exec("begin immediate");
    try {
      for (const record of records) insert.run(...rowOf(record));
      this.#database.exec("commit");
    } catch (error) {
      // Some errors, a full disk among them, have rolled back already.
      if (this.#database.isTransaction) this.#database.exec("rollback");
      throw error;
    }
  }

  query({ limit, ...filter }: RecordQuery): readonly ExecutionRecord[] {
    const { conditions, values } = conditionsOf(filter);
    const where = conditions.length === 0 ? "" : `where ${conditions.join(" and ")}`;
    const rows = this.#database
      .prepare(
        `select record from millrace_executions ${where} order by at desc, attempt desc limit ?`,
      )
      .all(...values, limit);
    return rows.flatMap(({ record }) => parseRecord(String(record)) ?? []);
  }

  /** Deletes what was settled before this time. */
  prune(before: number): void {
    const statement = this.#database.prepare(
      "delete from millrace_executions where record_id in (select record_id from millrace_executions where at < ? limit ?)",
    );
    while (Number(statement.run(before, PRUNE_BATCH).changes) === PRUNE_BATCH);
  }

  close(): void {
    this.#database.close();
  }
}

/**
 * Masked or not, what jobs did is not for every user of the machine. SQLite would let all read.
 *
 * No file that SQLite may have open is opened here: closing it would drop the locks that this
 * process has on it, whoever took them. So the file is made under another name, and closed before
 * it gets its own.
 */
function makeFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
  if (existsSync(path)) return;
  const made = `${path}.${randomUUID()}`;
  closeSync(openSync(made, "wx", 0o640));
  try {
    linkSync(made, path);
  } catch {
    // Another has made it meanwhile. Where there are no links, SQLite makes it.
  } finally {
    rmSync(made, { force: true });
  }
}

/** A URL may say where a file is in more ways than one, and that there is none. */
function isFile(path: string): boolean {
  return path !== ":memory:" && !path.startsWith("file:");
}

function rowOf(record: ExecutionRecord): SQLInputValue[] {
  const { recordId, id, name, queue, attempt, node, state, outcome, startedAt, at } = record;
  return [
    recordId,
    id,
    name,
    queue,
    attempt,
    node,
    state,
    outcome,
    startedAt ?? null,
    at,
    record.durationMs ?? null,
    record.error?.type ?? null,
    record.traceId ?? null,
    JSON.stringify(record),
  ];
}

function conditionsOf({ id, name, queue, outcome, state, since }: Omit<RecordQuery, "limit">): {
  readonly conditions: readonly string[];
  readonly values: readonly SQLInputValue[];
} {
  const wanted = [
    ["job_id = ?", id],
    ["name = ?", name],
    ["queue = ?", queue],
    ["outcome = ?", outcome],
    ["state = ?", state],
    ["at >= ?", since],
  ] as const;
  const given = wanted.flatMap(([condition, value]) =>
    value === undefined ? [] : [{ condition, value }],
  );
  return {
    conditions: given.map(({ condition }) => condition),
    values: given.map(({ value }) => value),
  };
}
