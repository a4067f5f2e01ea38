import { MOST_BODY_BYTES } from "../rows/large-body.ts";
import type { ClaimLimits } from "./outbox-store.ts";

/** Steps from one queue to the next in the index, however many rows each has. */
export const QUEUES = `
WITH RECURSIVE found AS (
  (SELECT queue FROM millrace_outbox WHERE set_aside_at IS NULL ORDER BY queue LIMIT 1)
  UNION ALL
  SELECT (SELECT o.queue FROM millrace_outbox o WHERE o.set_aside_at IS NULL
    AND o.queue > found.queue ORDER BY o.queue LIMIT 1)
  FROM found WHERE found.queue IS NOT NULL
)
SELECT queue FROM found WHERE queue IS NOT NULL`;

export const ENSURE_QUEUE =
  "INSERT INTO millrace_outbox_claim (queue) VALUES ($1) ON CONFLICT DO NOTHING";
export const MARK = "SELECT mark FROM millrace_outbox_claim WHERE queue = $1";

/**
 * Takes the oldest rows, unless a claim is open. The condition is judged again after a wait for
 * another relay's change; the list of rows is not, and may name some that are gone.
 *
 * @param queue SQL, as the limits are: a literal or a parameter
 */
export const claim = (queue: string, { rows, bytes }: ClaimLimits): string => `
UPDATE millrace_outbox_claim SET
  claim = gen_random_uuid()::text,
  claimed_at = clock_timestamp(),
  seqs = (
    SELECT array_agg(seq) FROM (
      SELECT seq, sum(size) OVER (ORDER BY seq) - size AS before FROM (
        SELECT seq, octet_length(body)::bigint AS size FROM millrace_outbox
        WHERE queue = ${queue} AND set_aside_at IS NULL ORDER BY seq LIMIT ${rows}
      ) oldest
    ) sized WHERE before = 0 OR before < ${bytes}
  )
WHERE queue = ${queue} AND seqs IS NULL
  AND EXISTS (SELECT 1 FROM millrace_outbox WHERE queue = ${queue} AND set_aside_at IS NULL)
RETURNING claim`;

/**
 * A statement of its own, so that it sees which of the claimed rows are still there: one that goes
 * out together with the claim begins when that one is through. Row by row: as one condition on a
 * list, PostgreSQL goes through the backlog, or the whole index for each row.
 */
export const claimed = (queue: string): string => `
SELECT c.claim,
  (extract(epoch FROM clock_timestamp() - c.claimed_at) * 1000)::float8 AS age,
  o.seq::float8 AS seq, o.id, o.kind, o.lane, o.subject, o.headers::text AS headers,
  CASE WHEN octet_length(o.body) <= ${MOST_BODY_BYTES} THEN o.body END AS body,
  octet_length(o.body) AS size,
  o.unique_rule::text AS unique_rule, (extract(epoch FROM o.created_at) * 1000)::float8 AS created_at
FROM millrace_outbox_claim c
LEFT JOIN LATERAL unnest(c.seqs) AS taken (seq) ON true
LEFT JOIN millrace_outbox o ON o.seq = taken.seq AND o.set_aside_at IS NULL
WHERE c.queue = ${queue} AND c.seqs IS NOT NULL
ORDER BY o.seq`;

/** Out of the claim in the same statement, so that a later retry is not taken for published. */
export const ASIDE = `
WITH open AS (
  UPDATE millrace_outbox_claim c
  SET seqs = ARRAY(
    SELECT s FROM unnest(c.seqs) s WHERE s NOT IN (
      SELECT seq FROM json_to_recordset($3::json) AS a (seq bigint)
    )
  )
  WHERE queue = $1 AND claim = $2 RETURNING 1
)
UPDATE millrace_outbox o
SET set_aside_at = clock_timestamp(), reason = a.reason, detail = a.detail
FROM json_to_recordset($3::json) AS a (seq bigint, reason text, detail text)
WHERE o.seq = a.seq AND EXISTS (SELECT 1 FROM open)`;

/** Rows in the order of the list; only where the claim is open and has the row. */
export const REPLACE = `
WITH open AS (
  UPDATE millrace_outbox_claim SET seqs = array_remove(seqs, $3::bigint)
  WHERE queue = $1 AND claim = $2 AND $3::bigint = ANY (seqs) RETURNING 1
), gone AS (
  DELETE FROM millrace_outbox WHERE seq = $3::bigint AND EXISTS (SELECT 1 FROM open)
  RETURNING id, kind
), noted AS (
  INSERT INTO millrace_outbox_batch (id) SELECT id FROM gone WHERE kind = 'batch'
  ON CONFLICT (id) DO UPDATE SET opened_at = clock_timestamp()
), come AS (
  INSERT INTO millrace_outbox (id, queue, lane, body, headers, unique_rule)
  SELECT job->>'id', job->>'queue', job->>'lane', decode(job->>'body', 'base64'),
    (job->>'headers')::jsonb, (job->>'unique')::json
  FROM json_array_elements($4::text::json) WITH ORDINALITY AS jobs(job, place)
  WHERE EXISTS (SELECT 1 FROM open) ORDER BY place
)
SELECT 1 FROM open`;

export const BATCHES = `
SELECT id FROM millrace_outbox_batch
WHERE opened_at < clock_timestamp() - make_interval(secs => $1)
  AND ($2::text IS NULL OR id > $2::text)
ORDER BY id LIMIT $3`;
export const FORGET_BATCHES = "DELETE FROM millrace_outbox_batch WHERE id = ANY ($1::text[])";

/**
 * All of it or, where another relay was first, none. What was published is the end of what kept the
 * queue's rows waiting.
 */
export const FINISH = `
WITH finished AS (
  UPDATE millrace_outbox_claim SET seqs = NULL, claim = NULL,
    trouble = CASE WHEN cardinality($4::bigint[]) > 0 THEN NULL ELSE trouble END,
    trouble_since = CASE WHEN cardinality($4::bigint[]) > 0 THEN NULL ELSE trouble_since END
  WHERE queue = $1 AND claim = $2 RETURNING 1
), aside AS (
  UPDATE millrace_outbox o
  SET set_aside_at = clock_timestamp(), reason = a.reason, detail = a.detail
  FROM json_to_recordset($3::json) AS a (seq bigint, reason text, detail text)
  WHERE o.seq = a.seq AND EXISTS (SELECT 1 FROM finished)
)
DELETE FROM millrace_outbox WHERE seq = ANY ($4::bigint[]) AND EXISTS (SELECT 1 FROM finished)`;

export const NOTE = `
UPDATE millrace_outbox_claim SET trouble = $2::text,
  trouble_since = CASE WHEN $2::text IS NULL THEN NULL
    ELSE coalesce(trouble_since, clock_timestamp()) END
WHERE queue = $1`;

export const STATUS = `
SELECT queue, coalesce(waiting, 0)::float8 AS waiting, coalesce(aside, 0)::float8 AS aside,
  coalesce((extract(epoch FROM clock_timestamp() - oldest) * 1000)::float8, 0) AS age,
  trouble, (extract(epoch FROM clock_timestamp() - trouble_since) * 1000)::float8 AS trouble_age
FROM (
  SELECT queue, count(*) FILTER (WHERE set_aside_at IS NULL) AS waiting,
    count(*) FILTER (WHERE set_aside_at IS NOT NULL) AS aside,
    min(created_at) FILTER (WHERE set_aside_at IS NULL) AS oldest
  FROM millrace_outbox GROUP BY queue
) rows FULL JOIN millrace_outbox_claim USING (queue)
ORDER BY queue`;

export const SET_ASIDE = `
SELECT seq::float8 AS seq, id, queue, reason, detail, headers::text AS headers,
  (extract(epoch FROM clock_timestamp() - set_aside_at) * 1000)::float8 AS age
FROM millrace_outbox WHERE set_aside_at IS NOT NULL ORDER BY seq LIMIT $1`;

/**
 * Held until the end of the transaction: whoever claims rows meanwhile reads them after it.
 *
 * @param queue SQL; `NULL` for every queue
 */
export const lockClaims = (queue: string): string => `
SELECT 1 FROM millrace_outbox_claim
WHERE ${queue}::text IS NULL OR queue = ${queue} ORDER BY queue FOR UPDATE`;

/**
 * Wakes the relays, as a new row does. An open claim may name a row that was set aside before it
 * was made: its list was read earlier. Such a row goes out of the claim, whose mark says of each
 * row that it names whether it is published.
 *
 * @param queue as of `lockClaims`, a statement before this one: else a claim is missed that is made
 *   at the same time
 */
export const retry = (queue: string): string => `
WITH back AS (
  UPDATE millrace_outbox SET set_aside_at = NULL, reason = NULL, detail = NULL
  WHERE set_aside_at IS NOT NULL AND (${queue}::text IS NULL OR queue = ${queue})
  RETURNING seq, queue
), unclaimed AS (
  UPDATE millrace_outbox_claim c
  SET seqs = ARRAY(SELECT s FROM unnest(c.seqs) s WHERE s NOT IN (SELECT seq FROM back))
  WHERE c.seqs IS NOT NULL AND c.queue IN (SELECT queue FROM back)
)
SELECT seq, pg_notify('millrace_outbox', '') FROM back`;

export const DONE = `
SELECT queue, job_id, enqueued_at::text AS enqueued_at, done_at::text AS place,
  (extract(epoch FROM clock_timestamp() - done_at) * 1000)::float8 AS age,
  (extract(epoch FROM clock_timestamp() - gone_at) * 1000)::float8 AS gone_age
FROM millrace_done
WHERE done_at < clock_timestamp() - make_interval(secs => $1) AND ($2::text IS NULL
  OR (done_at, queue, job_id, enqueued_at) > ($2::timestamptz, $3::text, $4::text, $5::bigint))
ORDER BY done_at, queue, job_id, enqueued_at LIMIT $6`;

export const NOTE_GONE = `
UPDATE millrace_done d
SET gone_at = CASE WHEN $2 THEN coalesce(d.gone_at, clock_timestamp()) END
FROM json_to_recordset($1::text::json) AS noted (queue text, id text, "enqueuedAt" bigint)
WHERE d.queue = noted.queue AND d.job_id = noted.id AND d.enqueued_at = noted."enqueuedAt"`;

export const FORGET_DONE = `
DELETE FROM millrace_done d
USING json_to_recordset($1::text::json) AS over (queue text, id text, "enqueuedAt" bigint)
WHERE d.queue = over.queue AND d.job_id = over.id AND d.enqueued_at = over."enqueuedAt"`;

export const SET_IDLE = "UPDATE millrace_outbox_relay SET idle = $1 WHERE idle <> $1";
