import { createHash } from "node:crypto";

/** Another one is made beside it, and not of it. */
const VERSION = "1";
const PREFIX = "millrace_index_";

/**
 * The schema of one index. What it is of is in the name, so that two versions, or two sets of
 * secrets to hide, are indexed side by side while a deployment goes from one to the other.
 *
 * @param identity of which fleet, and what is hidden
 */
export function schemaOf(identity: string): string {
  const print = createHash("sha256").update(`${VERSION} ${identity}`).digest("hex");
  return `${PREFIX}${print.slice(0, 16)}`;
}

/** Of schemas that may be an index, as `like` has it. */
export const ANY_SCHEMA = `${PREFIX.replaceAll("_", String.raw`\_`)}%`;

/** Processes that start together would make the tables at once, and all but one would fail. */
export const MAKING = 0x6d_6c_69_78;

const TEXT = 'text collate "C"';

/**
 * Times are epoch milliseconds. `words` are in small letters; `threes` are three letters in a row
 * of them, and `marks` stand for paths and values of payloads and for causes: see
 * `postgres-marks.ts`. Numbers are JavaScript's own. `state` has one row: who keeps the index and
 * until when, how far it is, and what it comes to.
 */
export function createTables(schema: string): string {
  return [
    `create schema if not exists ${schema};`,
    jobTables(schema),
    countTables(schema),
    stateTable(schema),
  ].join("\n");
}

function jobTables(schema: string): string {
  return `
create table ${schema}.job (
  key bigint generated always as identity primary key,
  queue ${TEXT} not null,
  id ${TEXT} not null,
  name ${TEXT} not null,
  state ${TEXT} not null,
  attempts double precision not null,
  at double precision not null,
  created_at double precision not null,
  life double precision not null,
  record double precision not null,
  arrival double precision not null,
  node ${TEXT},
  duration_ms double precision,
  error_type ${TEXT},
  error_message ${TEXT},
  reason ${TEXT},
  trace_id ${TEXT},
  tags ${TEXT},
  payload ${TEXT},
  causes ${TEXT},
  words ${TEXT} not null,
  threes integer[] not null,
  marks bigint[] not null,
  paths text[] collate "C" not null,
  size double precision not null,
  unique (queue, id)
);
create index on ${schema}.job (at, key);
create index on ${schema}.job (state, at);
create index on ${schema}.job (lower(queue), at);
create index on ${schema}.job (lower(name), at);
create index on ${schema}.job (lower(id));
create index on ${schema}.job using gin (threes);
create index on ${schema}.job using gin (marks);
create table ${schema}.heard (
  key bigint generated always as identity primary key,
  queue ${TEXT} not null,
  id ${TEXT} not null,
  created_at double precision not null,
  at double precision not null,
  cargo ${TEXT} not null,
  size double precision not null,
  unique (queue, id)
);
create index on ${schema}.heard (at);`;
}

function countTables(schema: string): string {
  return `
create table ${schema}.ended (
  minute double precision not null,
  queue ${TEXT} not null,
  how ${TEXT} not null,
  took double precision not null,
  count double precision not null,
  primary key (minute, queue, how, took)
);
create table ${schema}.waited (
  minute double precision not null,
  queue ${TEXT} not null,
  waited double precision not null,
  count double precision not null,
  primary key (minute, queue, waited)
);
create table ${schema}.cause (
  key bigint generated always as identity primary key,
  queue ${TEXT} not null,
  name ${TEXT} not null,
  fingerprint ${TEXT} not null,
  error ${TEXT} not null,
  pattern ${TEXT} not null,
  frame ${TEXT},
  message ${TEXT} not null,
  last_id ${TEXT} not null,
  last_trace_id ${TEXT},
  first_at double precision not null,
  last_at double precision not null,
  failures double precision not null,
  died double precision not null,
  jobs double precision not null,
  unique (fingerprint, queue, name)
);
create index on ${schema}.cause (failures);
create index on ${schema}.cause (key) where failures <= 0 and jobs <= 0;
create table ${schema}.failed (
  cause bigint not null,
  hour double precision not null,
  node ${TEXT} not null,
  failures double precision not null,
  died double precision not null,
  primary key (cause, hour, node)
);
create index on ${schema}.failed (hour);`;
}

function stateTable(schema: string): string {
  return `
create table ${schema}.state (
  one boolean primary key default true check (one),
  namespace ${TEXT} not null,
  keeper ${TEXT} not null,
  kept_until timestamptz not null,
  cursors ${TEXT} not null,
  jobs double precision not null,
  bytes double precision not null,
  heard_bytes double precision not null
);`;
}

/** All but its state. */
export const TABLES = ["job", "ended", "waited", "cause", "failed", "heard"] as const;
