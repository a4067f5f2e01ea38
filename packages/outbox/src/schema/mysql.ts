/**
 * Epoch milliseconds. By UTC: what goes by the session's local time says one hour twice, when
 * clocks are put back.
 */
export const MYSQL_NOW = "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)";

/**
 * Everything the outbox has in a MariaDB database, from version 10.6. Plain SQL that may be run any
 * number of times. Times are epoch milliseconds.
 */
export const MYSQL_SCHEMA = `-- The outbox of Millrace. Running this again changes nothing.

-- Jobs that were committed and are not in their queue yet. The relay deletes what it has published.
CREATE TABLE IF NOT EXISTS millrace_outbox (
  seq bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  -- The job's id, which is its idempotency key.
  id varchar(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  queue varchar(260) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  -- NULL, 'high' or 'low'.
  lane varchar(16),
  -- The envelope as it goes over the wire, msgpack or JSON.
  body longblob NOT NULL,
  -- JSON, an object of texts.
  headers longtext CHARACTER SET utf8mb4 NOT NULL DEFAULT ('{}'),
  -- What to do about the job's unique key; NULL where it has none.
  unique_rule text CHARACTER SET utf8mb4,
  -- NULL for a job, 'batch' for a batch that is not known to the server yet, 'message' for a
  -- message that a stream has to store, 'notice' for one that goes to whoever listens.
  kind varchar(16),
  -- Where a message or a notice goes. Its queue is the subject's first token and '.>'.
  subject varchar(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  created_at bigint NOT NULL DEFAULT ${MYSQL_NOW},
  -- Set by the relay on a row that can never be published: when, the error's code, and its text.
  set_aside_at bigint,
  reason varchar(64),
  detail text CHARACTER SET utf8mb4,
  KEY millrace_outbox_waiting (queue, set_aside_at, seq)
) ENGINE = InnoDB;

-- One row a queue: what the relays are publishing now. Rows are never deleted.
CREATE TABLE IF NOT EXISTS millrace_outbox_claim (
  queue varchar(260) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
  -- The name of this database's mark in the queue.
  mark char(32) NOT NULL,
  claim char(36),
  -- A JSON list.
  seqs longtext,
  claimed_at bigint,
  -- Why nothing could be published at the last try, and since when.
  trouble text CHARACTER SET utf8mb4,
  trouble_since bigint
) ENGINE = InnoDB;

-- Batches that a relay has made known. It looks until they are over whether one that was killed has
-- left something of them behind.
CREATE TABLE IF NOT EXISTS millrace_outbox_batch (
  id varchar(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
  opened_at bigint NOT NULL
) ENGINE = InnoDB;
`;
