// Each parameter is a text, stands once, and comes in the order of its number: some libraries have
// placeholders without numbers.

/**
 * Returns a row where this transaction is the first. Another that is not over yet is waited for:
 * if it commits, there is no row; if it rolls back, this one is the first.
 */
export const BEGIN_DONE = `
INSERT INTO millrace_done (queue, job_id, enqueued_at)
VALUES ($1::text, $2::text, $3::text::bigint)
ON CONFLICT DO NOTHING RETURNING 1 AS first`;

export const KEEP_OUTPUT = `
UPDATE millrace_done SET output = decode($1::text, 'base64')
WHERE queue = $2::text AND job_id = $3::text AND enqueued_at = $4::text::bigint`;

export const READ_OUTPUT = `
SELECT encode(output, 'base64') AS output FROM millrace_done
WHERE queue = $1::text AND job_id = $2::text AND enqueued_at = $3::text::bigint`;
