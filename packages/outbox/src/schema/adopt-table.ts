import { createHash } from "node:crypto";
import {
  MillraceError,
  optionNames,
  refuseUnknown,
  requireFlag,
  requireJobName,
  requireQueueName,
} from "@millrace/core";

/** One value for every row, or the name of the column that holds each row's. */
export type ColumnOr = { readonly value: string } | { readonly column: string };

/** A table of your own whose rows are to run as jobs, and what its columns mean. */
export interface AdoptedTable {
  /** Its name, with a schema before it where it is in none of the search path: `app.events`. */
  readonly table: string;
  /** Whose rows go where. */
  readonly queue: ColumnOr;
  /** The job's name. */
  readonly name: ColumnOr;
  /** The column of the job's input: `jsonb`, `json`, or text that is JSON. */
  readonly payload: string;
  /** The column of the job's id, by which a repeated row is one job. Default: UUIDs. */
  readonly id?: string;
  /** The column of the headers that travel with the job: `jsonb`, an object of texts. */
  readonly headers?: string;
  /** Removes each row once it is a job; needs `id`, which is then unique. Default: it stays. */
  readonly deleteRows?: boolean;
  /**
   * Existing rows for which this condition is true become jobs too: `sent_at IS NULL`. Default:
   * none.
   */
  readonly existing?: string;
}

const NAMES = optionNames<AdoptedTable>({
  ...{ table: true, queue: true, name: true, payload: true, id: true, headers: true },
  ...{ deleteRows: true, existing: true },
});

const PREFIX = "millrace_adopt_";

/**
 * SQL that makes each row of a table, from now on, a job of the same transaction: by a trigger that
 * calls `millrace_enqueue`. It may be run again, with other columns too, and under another name
 * of the same table. For PostgreSQL.
 *
 * Rows that are written meanwhile are neither missed nor taken twice: the trigger's lock keeps
 * writers out until the end of the transaction.
 *
 * @throws MillraceError `invalid-option`, `invalid-name`
 */
export function adoptTableSql(adopted: AdoptedTable): string {
  const { table, deleteRows = false, existing, id } = adopted;
  refuseUnknown(adopted, NAMES, "adoptTableSql()");
  requireFlag(deleteRows, "deleteRows");
  if (deleteRows && id === undefined)
    throw new MillraceError(
      "invalid-option",
      "To remove rows once they are jobs, name the column that tells them apart: id.",
    );
  const from = identifier(table, "table");
  const trigger = identifier(triggerOf(table), "table");
  const removal = deleteRows
    ? `\n  DELETE FROM ${from} WHERE ${column(id ?? "")} = NEW.${column(id ?? "")};`
    : "";
  const check = deleteRows
    ? `
  IF NEW.${column(id ?? "")} IS NULL THEN
    RAISE EXCEPTION 'millrace_enqueue: a row without an id could not be removed once it is a job';
  END IF;`
    : "";
  return `BEGIN;
CREATE OR REPLACE FUNCTION ${trigger}() RETURNS trigger LANGUAGE plpgsql AS $millrace$
BEGIN${check}
  PERFORM ${call(adopted, "NEW.")};${removal}
  RETURN NULL;
END $millrace$;
-- It finds what it names wherever the writer's search path leads.
DO $millrace$ BEGIN
  EXECUTE format('ALTER FUNCTION %s() SET search_path = %s, pg_temp', ${literal(trigger)},
    (SELECT string_agg(quote_ident(one), ', ') FROM unnest(current_schemas(false)) AS one));
END $millrace$;
${dropOthers(from, trigger)}DROP TRIGGER IF EXISTS ${trigger} ON ${from};
CREATE TRIGGER ${trigger} AFTER INSERT ON ${from}
  FOR EACH ROW EXECUTE FUNCTION ${trigger}();
${existing === undefined ? "" : takeExisting(adopted, from, existing)}COMMIT;
`;
}

/**
 * Triggers that the same table was given under other names: with a schema before it or without,
 * before it was renamed. Each would make a job of every row once more, or fail.
 */
function dropOthers(from: string, trigger: string): string {
  const named = literal(trigger.slice(1, -1));
  return `DO $millrace$
DECLARE other record;
BEGIN
  FOR other IN
    SELECT tgname, tgfoid FROM pg_trigger
    WHERE tgrelid = ${literal(from)}::regclass AND NOT tgisinternal
      AND starts_with(tgname, '${PREFIX}') AND tgname <> ${named}
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', other.tgname, ${literal(from)});
    IF NOT EXISTS (SELECT 1 FROM pg_trigger WHERE tgfoid = other.tgfoid) THEN
      EXECUTE format('DROP FUNCTION %s', other.tgfoid::regprocedure);
    END IF;
  END LOOP;
END $millrace$;
`;
}

/**
 * The server cuts names at 63 bytes, and a dot can't stand in one: what is left would be another
 * table's, whose rows would become this one's jobs. So a hash of the whole name is in it.
 */
function triggerOf(table: string): string {
  const shown = table.replaceAll(/[^A-Za-z0-9_]/g, "_").slice(0, 35);
  const hash = createHash("sha256").update(table).digest("hex").slice(0, 12);
  return `${PREFIX}${shown}_${hash}`;
}

/** In the order of their ids, where they have any. */
function takeExisting(adopted: AdoptedTable, from: string, existing: string): string {
  const order = adopted.id === undefined ? "" : ` ORDER BY taken.${column(adopted.id)}`;
  const enqueued = `SELECT ${call(adopted, "taken.")} FROM`;
  return adopted.deleteRows === true
    ? `WITH taken AS (DELETE FROM ${from} WHERE ${existing} RETURNING *)\n${enqueued} taken${order};\n`
    : `${enqueued} (SELECT * FROM ${from} WHERE ${existing}) AS taken${order};\n`;
}

function call({ queue, name, payload, id, headers }: AdoptedTable, row: string): string {
  if ("value" in queue) requireQueueName(queue.value);
  if ("value" in name) requireJobName(name.value);
  const parts = [
    `queue => ${valueOf(queue, row)}`,
    `name => ${valueOf(name, row)}`,
    `payload => ${row}${column(payload)}::text::jsonb`,
    ...(id === undefined ? [] : [`id => ${row}${column(id)}::text`]),
    ...(headers === undefined ? [] : [`headers => ${row}${column(headers)}::text::jsonb`]),
  ];
  return `millrace_enqueue(${parts.join(", ")})`;
}

function valueOf(from: ColumnOr, row: string): string {
  return "value" in from ? literal(from.value) : `${row}${column(from.column)}::text`;
}

function column(name: string): string {
  if (name.includes("."))
    throw new MillraceError("invalid-option", `${name} is no column's name: it has a dot.`);
  return identifier(name, "column");
}

/** Quoted part by part, so that nothing in it is SQL. */
function identifier(name: string, what: string): string {
  const parts = name.split(".");
  if (name === "" || name.includes("\0") || parts.length > 2 || parts.includes(""))
    throw new MillraceError("invalid-option", `${JSON.stringify(name)} is no ${what}'s name.`);
  return parts.map((part) => `"${part.replaceAll('"', '""')}"`).join(".");
}

function literal(value: string): string {
  // Without a backslash of its own meaning, whatever the server's settings are.
  if (value.includes("\0")) throw new MillraceError("invalid-option", "A name has a NUL in it.");
  return value.includes("\\")
    ? `E'${value.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`
    : `'${value.replaceAll("'", "''")}'`;
}
