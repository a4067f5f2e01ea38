import { MOST_BODY_BYTES } from "../rows/large-body.ts";

const NOW = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";

export const QUEUES = "SELECT DISTINCT queue FROM millrace_outbox WHERE set_aside_at IS NULL";

export const ENSURE_QUEUE =
  "INSERT INTO millrace_outbox_claim (queue) VALUES (?) ON CONFLICT DO NOTHING";
export const MARK = "SELECT mark FROM millrace_outbox_claim WHERE queue = ?";

/** Whether there is something to claim, or a claim is open. */
export const WAITS = `
SELECT 1 FROM millrace_outbox WHERE queue = ? AND set_aside_at IS NULL
UNION ALL
SELECT 1 FROM millrace_outbox_claim WHERE queue = ? AND seqs IS NOT NULL
LIMIT 1`;

/** Takes the oldest rows, unless a claim is open. */
export const CLAIM = `
UPDATE millrace_outbox_claim SET
  claim = ?,
  claimed_at = ${NOW},
  seqs = (
    SELECT json_group_array(seq) FROM (
      SELECT seq, sum(size) OVER (ORDER BY seq) - size AS before FROM (
        SELECT seq, length(body) AS size FROM millrace_outbox
        WHERE queue = ? AND set_aside_at IS NULL ORDER BY seq LIMIT ?
      )
    ) WHERE before = 0 OR before < ?
  )
WHERE queue = ? AND seqs IS NULL
  AND EXISTS (SELECT 1 FROM millrace_outbox WHERE queue = ? AND set_aside_at IS NULL)`;

export const OPEN_CLAIM = `
SELECT claim, ${NOW} - claimed_at AS age FROM millrace_outbox_claim
WHERE queue = ? AND seqs IS NOT NULL`;

/** Who writes rows by hand may have written text. */
export const CLAIMED = `
SELECT o.seq, o.id, o.kind, o.lane, o.subject, o.headers, o.unique_rule, o.created_at,
  CASE WHEN length(o.body) <= ${MOST_BODY_BYTES} THEN CAST(o.body AS BLOB) END AS body,
  length(o.body) AS size
FROM millrace_outbox_claim c JOIN json_each(c.seqs) taken JOIN millrace_outbox o
  ON o.seq = taken.value
WHERE c.queue = ? AND o.set_aside_at IS NULL ORDER BY o.seq`;

export const WITHOUT = `
UPDATE millrace_outbox_claim SET seqs = (
  SELECT json_group_array(value) FROM json_each(seqs)
  WHERE value NOT IN (SELECT value FROM json_each(?))
) WHERE queue = ? AND claim = ?`;

/** A row of the open claim. */
export const HAS = `
SELECT o.id, o.kind FROM millrace_outbox_claim c JOIN json_each(c.seqs) taken JOIN millrace_outbox o
  ON o.seq = taken.value
WHERE c.queue = ? AND c.claim = ? AND taken.value = ?`;
export const NOTE_BATCH = `
INSERT INTO millrace_outbox_batch (id) VALUES (?)
ON CONFLICT (id) DO UPDATE SET opened_at = excluded.opened_at`;
export const BATCHES = `
SELECT id FROM millrace_outbox_batch
WHERE opened_at < ${NOW} - ? AND (? IS NULL OR id > ?) ORDER BY id LIMIT ?`;
export const FORGET_BATCHES =
  "DELETE FROM millrace_outbox_batch WHERE id IN (SELECT value FROM json_each(?))";
export const COLUMNS = "SELECT name FROM pragma_table_info('millrace_outbox')";

/** What was published is the end of what kept the queue's rows waiting. */
export const FINISH = `
UPDATE millrace_outbox_claim SET seqs = NULL, claim = NULL,
  trouble = CASE WHEN ? > 0 THEN NULL ELSE trouble END,
  trouble_since = CASE WHEN ? > 0 THEN NULL ELSE trouble_since END
WHERE queue = ? AND claim = ?`;
export const ASIDE = `
UPDATE millrace_outbox SET set_aside_at = ${NOW}, reason = ?, detail = ? WHERE seq = ?`;
export const PUBLISHED =
  "DELETE FROM millrace_outbox WHERE seq IN (SELECT value FROM json_each(?))";

export const NOTE = `
UPDATE millrace_outbox_claim SET trouble = ?,
  trouble_since = CASE WHEN ? IS NULL THEN NULL ELSE coalesce(trouble_since, ${NOW}) END
WHERE queue = ?`;

export const STATUS = `
SELECT queue, sum(waiting) AS waiting, sum(aside) AS aside,
  coalesce(${NOW} - min(oldest), 0) AS age,
  max(trouble) AS trouble, ${NOW} - max(trouble_since) AS trouble_age
FROM (
  SELECT queue, set_aside_at IS NULL AS waiting, set_aside_at IS NOT NULL AS aside,
    CASE WHEN set_aside_at IS NULL THEN created_at END AS oldest,
    NULL AS trouble, NULL AS trouble_since
  FROM millrace_outbox
  UNION ALL
  SELECT queue, 0, 0, NULL, trouble, trouble_since FROM millrace_outbox_claim
)
GROUP BY queue ORDER BY queue`;

export const SET_ASIDE = `
SELECT seq, id, queue, reason, detail, headers, ${NOW} - set_aside_at AS age
FROM millrace_outbox WHERE set_aside_at IS NOT NULL ORDER BY seq LIMIT ?`;

export const RETRY = `
UPDATE millrace_outbox SET set_aside_at = NULL, reason = NULL, detail = NULL
WHERE set_aside_at IS NOT NULL AND (? IS NULL OR queue = ?) RETURNING seq`;
