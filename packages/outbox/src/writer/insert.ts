/** Takes the jobs as `asParameter` makes it, with bodies in base64. */
export const INSERT_POSTGRES = `
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
