/** Takes the jobs as `asParameter` makes it, with bodies in base64. */
const INSERT_POSTGRES = `
INSERT INTO millrace_outbox (id, queue, lane, body, headers, unique_rule)
SELECT job->>'id', job->>'queue', job->>'lane', decode(job->>'body', 'base64'),
  (job->>'headers')::jsonb, (job->>'unique')::json
FROM json_array_elements($1::text::json) WITH ORDINALITY AS jobs(job, place) ORDER BY place`;

/** Takes the jobs as `asParameter` makes it, with bodies in hexadecimal. */
export const INSERT_SQLITE = `
INSERT INTO millrace_outbox (id, queue, lane, body, headers, unique_rule)
SELECT value->>'id', value->>'queue', value->>'lane', unhex(value->>'body'),
  value->>'headers', value->>'unique'
FROM json_each(?) ORDER BY key`;

/** One row that is no job: id, queue, kind, body in base64. */
const INSERT_ROW_POSTGRES = `
INSERT INTO millrace_outbox (id, queue, kind, body)
VALUES ($1::text, $2::text, $3::text, decode($4::text, 'base64'))`;

/** The same with the body in hexadecimal. */
export const INSERT_ROW_SQLITE =
  "INSERT INTO millrace_outbox (id, queue, kind, body) VALUES (?, ?, ?, unhex(?))";

/** A message: id, queue, kind, subject, headers, body in base64. */
const INSERT_MESSAGE_POSTGRES = `
INSERT INTO millrace_outbox (id, queue, kind, subject, headers, body)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text::jsonb, decode($6::text, 'base64'))`;

/** The same with the body in hexadecimal. */
export const INSERT_MESSAGE_SQLITE = `
INSERT INTO millrace_outbox (id, queue, kind, subject, headers, body)
VALUES (?, ?, ?, ?, ?, unhex(?))`;

/** As for PostgreSQL, in MariaDB. */
export const INSERT_MYSQL = `
INSERT INTO millrace_outbox (id, queue, lane, body, headers, unique_rule)
SELECT id, queue, lane, FROM_BASE64(body), headers, unique_rule
FROM JSON_TABLE(?, '$[*]' COLUMNS (
  place FOR ORDINALITY,
  id varchar(128) PATH '$.id',
  queue varchar(260) PATH '$.queue',
  lane varchar(16) PATH '$.lane',
  body longtext PATH '$.body',
  headers longtext PATH '$.headers',
  unique_rule text PATH '$.unique'
)) AS jobs ORDER BY place`;

const INSERT_ROW_MYSQL =
  "INSERT INTO millrace_outbox (id, queue, kind, body) VALUES (?, ?, ?, FROM_BASE64(?))";

const INSERT_MESSAGE_MYSQL = `
INSERT INTO millrace_outbox (id, queue, kind, subject, headers, body)
VALUES (?, ?, ?, ?, ?, FROM_BASE64(?))`;

/** What an outbox writes with, in each language of databases that is waited for. */
export const INSERTS = {
  postgres: {
    jobs: INSERT_POSTGRES,
    row: INSERT_ROW_POSTGRES,
    message: INSERT_MESSAGE_POSTGRES,
  },
  mysql: { jobs: INSERT_MYSQL, row: INSERT_ROW_MYSQL, message: INSERT_MESSAGE_MYSQL },
} as const;
