/** Another one is made anew. */
export const SCHEMA_VERSION = "9";

/**
 * Times are epoch milliseconds. `words` and `leaf.value` are in small letters. `cause.jobs` is how
 * many of its jobs `failing` has, so that nobody counts them when a page is shown.
 */
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
  causes text,
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
create table cause (
  key integer primary key,
  queue text not null,
  name text not null,
  fingerprint text not null,
  error text not null,
  pattern text not null,
  frame text,
  message text not null,
  last_id text not null,
  last_trace_id text,
  first_at integer not null,
  last_at integer not null,
  failures integer not null,
  died integer not null,
  jobs integer not null
) strict;
create unique index cause_is on cause (fingerprint, queue, name);
create index cause_most on cause (failures);
create index cause_over on cause (key) where failures <= 0 and jobs <= 0;
create table failed (
  cause integer not null,
  hour integer not null,
  node text not null,
  failures integer not null,
  died integer not null,
  primary key (cause, hour, node)
) strict, without rowid;
create index failed_hour on failed (hour);
create table failing (
  fingerprint text not null,
  job integer not null,
  primary key (fingerprint, job)
) strict, without rowid;
create table heard (
  key integer primary key,
  queue text not null,
  id text not null,
  created_at integer not null,
  at integer not null,
  cargo text not null,
  unique (queue, id)
) strict;
create index heard_at on heard (at);
`;
