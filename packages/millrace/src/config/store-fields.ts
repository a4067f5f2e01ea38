import { field } from "./field.ts";
import { directory, file, keptFor, text } from "./field-kinds.ts";

/** Databases and files beside NATS. */
export const STORE_FIELDS = {
  /** Directory for execution records as files of JSON lines. */
  recordsDir: field({
    group: "records",
    kind: directory,
    flag: "records-dir",
    env: ["MILLRACE_RECORDS_DIR"],
    about: "Directory for execution records as files of JSON lines.",
  }),
  /** SQLite database file for execution records. */
  recordsSqlite: field({
    group: "records",
    kind: file,
    flag: "records-sqlite",
    env: ["MILLRACE_RECORDS_SQLITE"],
    about: "SQLite database file for execution records.",
  }),
  /** URL of a PostgreSQL database for execution records. Needs the package pg. */
  recordsPostgres: field({
    group: "records",
    kind: text,
    env: ["MILLRACE_RECORDS_POSTGRES"],
    secret: true,
    about: "URL of a PostgreSQL database for execution records. Needs the package pg.",
  }),
  /** How long execution records are kept. Default: `30d`. */
  recordsKeepMs: field({
    group: "records",
    kind: keptFor,
    flag: "records-keep",
    env: ["MILLRACE_RECORDS_KEEP"],
    default: 30 * 86_400_000,
    about: "How long execution records are kept.",
  }),
  /** URL of a PostgreSQL database whose outbox is relayed. Needs the package pg. */
  outboxPostgres: field({
    group: "outbox",
    kind: text,
    env: ["MILLRACE_OUTBOX_POSTGRES"],
    secret: true,
    about: "URL of a PostgreSQL database whose outbox is relayed. Needs the package pg.",
  }),
  /** URL of a MariaDB or MySQL database whose outbox is relayed. Needs the package mysql2. */
  outboxMysql: field({
    group: "outbox",
    kind: text,
    env: ["MILLRACE_OUTBOX_MYSQL"],
    secret: true,
    about: "URL of a MariaDB or MySQL database whose outbox is relayed. Needs the package mysql2.",
  }),
  /** SQLite database file whose outbox is relayed. */
  outboxSqlite: field({
    group: "outbox",
    kind: file,
    flag: "outbox-sqlite",
    env: ["MILLRACE_OUTBOX_SQLITE"],
    about: "SQLite database file whose outbox is relayed.",
  }),
} as const;
