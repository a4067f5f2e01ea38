/**
 * Everything the outbox has in a SQLite database, from version 3.41. Plain SQL that may be run any
 * number of times.
 */
export const SQLITE_SCHEMA = `-- The outbox of Millrace. Running this again changes nothing.

-- Jobs that were committed and are not in their queue yet. The relay deletes what it has published.
CREATE TABLE IF NOT EXISTS millrace_outbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  -- The job's id, which is its idempotency key.
  id TEXT NOT NULL,
  queue TEXT NOT NULL,
  -- NULL, 'high' or 'low'.
  lane TEXT,
  -- The envelope as it goes over the wire, msgpack or JSON.
  body BLOB NOT NULL,
  headers TEXT NOT NULL DEFAULT '{}',
  -- What to do about the job's unique key; NULL where it has none.
  unique_rule TEXT,
  -- NULL for a job, 'batch' for a batch that is not known to the server yet, 'message' for a
  -- message that a stream has to store, 'notice' for one that goes to whoever listens.
  kind TEXT,
  -- Where a message or a notice goes. Its queue is the subject's first token and '.>'.
  subject TEXT,
  -- Epoch milliseconds.
  created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
  -- Set by the relay on a row that can never be published: when, the error's code, and its text.
  set_aside_at INTEGER,
  reason TEXT,
  detail TEXT
);
CREATE INDEX IF NOT EXISTS millrace_outbox_waiting
  ON millrace_outbox (queue, seq) WHERE set_aside_at IS NULL;

-- One row a queue: what the relays are publishing now. Rows are never deleted.
CREATE TABLE IF NOT EXISTS millrace_outbox_claim (
  queue TEXT PRIMARY KEY,
  -- The name of this database's mark in the queue.
  mark TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))),
  claim TEXT,
  -- A JSON list.
  seqs TEXT,
  claimed_at INTEGER,
  -- Why nothing could be published at the last try, and since when.
  trouble TEXT,
  trouble_since INTEGER
);

-- Batches that a relay has made known. It looks until they are over whether one that was killed has
-- left something of them behind.
CREATE TABLE IF NOT EXISTS millrace_outbox_batch (
  id TEXT PRIMARY KEY,
  opened_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER))
);
`;

/** Brings tables of earlier versions up to date: SQLite has no `ADD COLUMN IF NOT EXISTS`. */
export const SQLITE_COLUMNS: readonly { readonly name: string; readonly add: string }[] = [
  { name: "kind", add: "ALTER TABLE millrace_outbox ADD COLUMN kind TEXT" },
  { name: "subject", add: "ALTER TABLE millrace_outbox ADD COLUMN subject TEXT" },
];
