import { MOST_BODY_BYTES } from "../rows/large-body.ts";
import { MYSQL_NOW as NOW } from "../schema/mysql.ts";

export const QUEUES = "SELECT DISTINCT queue FROM millrace_outbox WHERE set_aside_at IS NULL";

export const ENSURE_QUEUE = "INSERT IGNORE INTO millrace_outbox_claim (queue, mark) VALUES (?, ?)";
export const MARK = "SELECT mark FROM millrace_outbox_claim WHERE queue = ?";

/**
 * Read before they are claimed, not in the same statement: that would wait for transactions of
 * writers. It may name rows that are gone by then.
 */
export const OLDEST = `
SELECT seq, OCTET_LENGTH(body) AS size FROM millrace_outbox
WHERE queue = ? AND set_aside_at IS NULL ORDER BY seq LIMIT ?`;

/** Unless a claim is open. */
export const CLAIM = `
UPDATE millrace_outbox_claim SET claim = ?, claimed_at = ${NOW}, seqs = ?
WHERE queue = ? AND seqs IS NULL`;

export const OPEN_CLAIM = `
SELECT claim, ${NOW} - claimed_at AS age, seqs FROM millrace_outbox_claim
WHERE queue = ? AND seqs IS NOT NULL`;

export const CLAIMED = `
SELECT seq, id, kind, lane, subject, headers, unique_rule, created_at,
  IF(OCTET_LENGTH(body) <= ${MOST_BODY_BYTES}, body, NULL) AS body, OCTET_LENGTH(body) AS size
FROM millrace_outbox WHERE seq IN (?) AND set_aside_at IS NULL ORDER BY seq`;

/** Held until the end of the transaction. */
export const LOCK_CLAIM = `
SELECT seqs FROM millrace_outbox_claim WHERE queue = ? AND claim = ? AND seqs IS NOT NULL
FOR UPDATE`;
export const KEEP = "UPDATE millrace_outbox_claim SET seqs = ? WHERE queue = ? AND claim = ?";
/** What was published is the end of what kept the queue's rows waiting. */
export const FINISH = `
UPDATE millrace_outbox_claim SET seqs = NULL, claim = NULL,
  trouble = IF(? > 0, NULL, trouble), trouble_since = IF(? > 0, NULL, trouble_since)
WHERE queue = ? AND claim = ?`;
export const ASIDE = `
UPDATE millrace_outbox SET set_aside_at = ${NOW}, reason = ?, detail = ? WHERE seq = ?`;
export const PUBLISHED = "DELETE FROM millrace_outbox WHERE seq IN (?)";
export const ROW = "SELECT id, kind FROM millrace_outbox WHERE seq = ?";

export const NOTE_BATCH = `REPLACE INTO millrace_outbox_batch (id, opened_at) VALUES (?, ${NOW})`;
export const BATCHES = `
SELECT id FROM millrace_outbox_batch
WHERE opened_at < ${NOW} - ? AND id > ? ORDER BY id LIMIT ?`;
export const FORGET_BATCHES = "DELETE FROM millrace_outbox_batch WHERE id IN (?)";

export const NOTE = `
UPDATE millrace_outbox_claim SET trouble = ?,
  trouble_since = IF(? IS NULL, NULL, coalesce(trouble_since, ${NOW}))
WHERE queue = ?`;

export const STATUS = `
SELECT queue, sum(waiting) AS waiting, sum(aside) AS aside,
  coalesce(${NOW} - min(oldest), 0) AS age,
  max(trouble) AS trouble, ${NOW} - max(trouble_since) AS trouble_age
FROM (
  SELECT queue, set_aside_at IS NULL AS waiting, set_aside_at IS NOT NULL AS aside,
    IF(set_aside_at IS NULL, created_at, NULL) AS oldest,
    NULL AS trouble, NULL AS trouble_since
  FROM millrace_outbox
  UNION ALL
  SELECT queue, 0, 0, NULL, trouble, trouble_since FROM millrace_outbox_claim
) rows_and_claims
GROUP BY queue ORDER BY queue`;

export const SET_ASIDE = `
SELECT seq, id, queue, reason, detail, headers, ${NOW} - set_aside_at AS age
FROM millrace_outbox WHERE set_aside_at IS NOT NULL ORDER BY seq LIMIT ?`;

/** Held until the end of the transaction: whoever claims rows meanwhile reads them after it. */
export const LOCK_CLAIMS = `
SELECT queue, claim, seqs FROM millrace_outbox_claim
WHERE ? IS NULL OR queue = ? ORDER BY queue FOR UPDATE`;
export const LOCK_ASIDE = `
SELECT seq FROM millrace_outbox
WHERE set_aside_at IS NOT NULL AND (? IS NULL OR queue = ?) FOR UPDATE`;
export const RETRY = `
UPDATE millrace_outbox SET set_aside_at = NULL, reason = NULL, detail = NULL
WHERE set_aside_at IS NOT NULL AND (? IS NULL OR queue = ?)`;
