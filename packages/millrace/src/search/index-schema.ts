/** Another one is made anew. */
export const SCHEMA_VERSION = "5";

/** Times are epoch milliseconds. `words` and `leaf.value` are in small letters. */
export const SCHEMA = `
create table meta (name text primary key, value text not null) strict, without rowid;
create table job (
  key integer primary key,
  queue text not null,
  id text not null,
  name text not null,
  state text not null,
  attempts integer not null,
  at integer not null,
  created_at integer not null,
  life integer not null,
  record integer not null,
  arrival integer not null,
  node text,
  duration_ms real,
  error_type text,
  error_message text,
  reason text,
  trace_id text,
  tags text,
  payload text,
  words text not null
) strict;
create index job_at on job (at);
create index job_state on job (state, at);
create index job_queue on job (queue collate nocase, at);
create index job_name on job (name collate nocase, at);
create index job_id on job (id collate nocase, queue);
create table leaf (
  path text not null,
  value text not null,
  job integer not null,
  primary key (path, value, job)
) strict, without rowid;
create virtual table word using fts5 (
  words, content = '', contentless_delete = 1, tokenize = 'trigram', detail = 'none'
);
create table ended (
  minute integer not null,
  queue text not null,
  how text not null,
  took integer not null,
  count integer not null,
  primary key (minute, queue, how, took)
) strict, without rowid;
create table waited (
  minute integer not null,
  queue text not null,
  waited integer not null,
  count integer not null,
  primary key (minute, queue, waited)
) strict, without rowid;
create table heard (
  queue text not null,
  id text not null,
  created_at integer not null,
  at integer not null,
  cargo text not null,
  primary key (queue, id)
) strict, without rowid;
`;
