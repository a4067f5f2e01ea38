/** Nodes that start together would make the table at once, and all but one would fail. */
const SCHEMA_LOCK = 0x6d_69_6c_6c;

/**
 * One statement, and so one transaction. `record` is the whole record; the columns are what is
 * looked for.
 */
export function createTable(table: string): string {
  return `
do $$ begin
perform pg_advisory_xact_lock(${SCHEMA_LOCK});
create table if not exists ${table} (
  record_id uuid primary key,
  job_id text not null,
  name text not null,
  queue text not null,
  attempt integer not null,
  node text not null,
  state text not null,
  outcome text not null,
  started_at timestamptz,
  at timestamptz not null,
  duration_ms double precision,
  error_type text,
  trace_id text,
  record jsonb not null
);
create index if not exists ${indexName(table, "at")} on ${table} (at);
create index if not exists ${indexName(table, "job")} on ${table} (job_id, at);
end $$`;
}

/**
 * One array of records as one parameter: any number of rows is one round trip, and the statement is
 * always the same.
 */
export function insertInto(table: string): string {
  return `
insert into ${table}
  (record_id, job_id, name, queue, attempt, node, state, outcome, started_at, at, duration_ms, error_type, trace_id, record)
select
  (r->>'recordId')::uuid, r->>'id', r->>'name', r->>'queue', (r->>'attempt')::integer, r->>'node', r->>'state', r->>'outcome',
  to_timestamp((r->>'startedAt')::double precision / 1000), to_timestamp((r->>'at')::double precision / 1000),
  (r->>'durationMs')::double precision, r->'error'->>'type', r->>'traceId', r
from jsonb_array_elements($1::jsonb) as r
on conflict do nothing`;
}

/** Rows that another node is deleting are left to it. */
export function deleteOldFrom(table: string): string {
  return `
delete from ${table} where record_id in (
  select record_id from ${table} where at < to_timestamp($1::double precision / 1000)
  limit $2 for update skip locked
)`;
}

/** An index lies in its table's schema, so its name has none. */
function indexName(table: string, what: string): string {
  return `${table.split(".").at(-1)}_${what}`;
}
