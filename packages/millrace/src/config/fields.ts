import { MOST_PARKED } from "@millrace/core";
import {
  directory,
  duration,
  type FieldKind,
  file,
  flag,
  list,
  namespace,
  oneOf,
  patterns,
  replicaCount,
  queueSlots,
  servers,
  text,
  whole,
} from "./field-kinds.ts";

/**
 * Which commands and calls a field is for. `dev` has a server of its own, and so takes no
 * `connection` fields.
 */
export type FieldGroup =
  "connection" | "namespace" | "masking" | "node" | "health" | "records" | "outbox" | "dashboard";

export interface Field<Value = unknown> {
  readonly group: FieldGroup;
  readonly kind: FieldKind<Value>;
  /**
   * `server` for `--server`. Absent where a flag would show a secret to everyone who lists
   * processes.
   */
  readonly flag?: string;
  /** The first one set counts. */
  readonly env: readonly string[];
  readonly default?: Value;
  /** Its value is never shown; of a `url`, what stands before the host. */
  readonly secret?: true | "url";
  readonly about: string;
}

/**
 * Every configuration field, once. Drives reading flags, environment and file, `--help`, and the
 * table in `docs/configuration.md`. A field's key is its name in the configuration file and in the
 * options of `connect` and `createNode`.
 */
export const FIELDS = {
  servers: field({
    group: "connection",
    kind: servers,
    flag: "server",
    env: ["MILLRACE_SERVERS", "MILLRACE_SERVER"],
    default: ["nats://127.0.0.1:4222"],
    secret: "url",
    about:
      "NATS servers of one cluster, with commas between them. A URL may hold user:password or a token.",
  }),
  namespace: field({
    group: "namespace",
    kind: namespace,
    flag: "namespace",
    env: ["MILLRACE_NAMESPACE"],
    default: "millrace",
    about: "Prefix of every stream, subject and bucket. Two namespaces never meet.",
  }),
  credsFile: field({
    group: "connection",
    kind: file,
    flag: "creds",
    env: ["MILLRACE_CREDS"],
    about: "NATS credentials file (JWT and seed).",
  }),
  nkeyFile: field({
    group: "connection",
    kind: file,
    flag: "nkey-file",
    env: ["MILLRACE_NKEY_FILE"],
    about: "File with an nkey seed.",
  }),
  token: field({
    group: "connection",
    kind: text,
    env: ["MILLRACE_TOKEN"],
    secret: true,
    about: "NATS token.",
  }),
  user: field({
    group: "connection",
    kind: text,
    flag: "user",
    env: ["MILLRACE_USER"],
    about: "NATS user; its password comes from the environment or the file.",
  }),
  password: field({
    group: "connection",
    kind: text,
    env: ["MILLRACE_PASSWORD"],
    secret: true,
    about: "Password of the NATS user.",
  }),
  tlsCaFile: field({
    group: "connection",
    kind: file,
    flag: "tls-ca",
    env: ["MILLRACE_TLS_CA"],
    about: "Certificate authority that signed the server's certificate, PEM.",
  }),
  tlsCertFile: field({
    group: "connection",
    kind: file,
    flag: "tls-cert",
    env: ["MILLRACE_TLS_CERT"],
    about: "Client certificate, PEM.",
  }),
  tlsKeyFile: field({
    group: "connection",
    kind: file,
    flag: "tls-key",
    env: ["MILLRACE_TLS_KEY"],
    about: "Key of the client certificate, PEM.",
  }),
  tlsHandshakeFirst: field({
    group: "connection",
    kind: flag,
    flag: "tls-handshake-first",
    env: ["MILLRACE_TLS_HANDSHAKE_FIRST"],
    default: false,
    about: "The server expects TLS from the first byte.",
  }),
  connectTimeoutMs: field({
    group: "connection",
    kind: duration,
    flag: "connect-timeout",
    env: ["MILLRACE_CONNECT_TIMEOUT"],
    default: 5_000,
    about: "How long one attempt to connect may take.",
  }),
  maxValues: field({
    group: "namespace",
    kind: whole(1_000, 100_000_000),
    flag: "max-values",
    env: ["MILLRACE_MAX_VALUES"],
    default: 100_000,
    about:
      "Values that a job's body may hold, keys of maps included. The same in producers and nodes.",
  }),
  maxDelayMs: field({
    group: "namespace",
    kind: duration,
    flag: "max-delay",
    env: ["MILLRACE_MAX_DELAY"],
    default: 366 * 86_400_000,
    about: "How far ahead a producer may put a job's start. The same in producers and nodes.",
  }),
  maskKeys: field({
    group: "masking",
    kind: list,
    flag: "mask-keys",
    env: ["MILLRACE_MASK_KEYS"],
    about:
      "Keys whose values are hidden besides those that always are, in what is logged, recorded or shown.",
  }),
  maskPatterns: field({
    group: "masking",
    kind: patterns,
    flag: "mask-patterns",
    env: ["MILLRACE_MASK_PATTERNS"],
    about: "Regular expressions, one a line, of what is hidden besides in texts.",
  }),
  jobs: field({
    group: "node",
    kind: list,
    env: ["MILLRACE_JOBS"],
    about: "Job files for `run` where none are named.",
  }),
  queues: field({
    group: "node",
    kind: queueSlots,
    flag: "queues",
    env: ["MILLRACE_QUEUES"],
    about: "The queues this node serves, with the slots of each. Default: the queues of its jobs.",
  }),
  slots: field({
    group: "node",
    kind: whole(1, 10_000),
    flag: "slots",
    env: ["MILLRACE_SLOTS"],
    default: 16,
    about: "Slots of a queue that `queues` does not name.",
  }),
  nodeName: field({
    group: "node",
    kind: text,
    flag: "name",
    env: ["MILLRACE_NODE_NAME"],
    about: "Name of the node in records and logs. Default: the host name and the process id.",
  }),
  graceMs: field({
    group: "node",
    kind: duration,
    flag: "grace",
    env: ["MILLRACE_GRACE"],
    default: 25_000,
    about:
      "From SIGTERM to the end. Running jobs may go on for 0.7 of it; then they are aborted and handed back.",
  }),
  leaseMs: field({
    group: "node",
    kind: duration,
    flag: "lease",
    env: ["MILLRACE_LEASE"],
    default: 30_000,
    about: "How soon a dead node's jobs are delivered again. Extended by itself while a job runs.",
  }),
  poisonAfter: field({
    group: "node",
    kind: whole(1, 1_000),
    flag: "poison-after",
    env: ["MILLRACE_POISON_AFTER"],
    default: 3,
    about: "Holders in a row that a job may take down before it is a dead letter.",
  }),
  jobMemoryMb: field({
    group: "node",
    kind: whole(1, 1_000_000),
    flag: "job-memory",
    env: ["MILLRACE_JOB_MEMORY_MB"],
    about:
      "Memory that jobs in hand may take, MiB. Default: half of what the process's heap may take.",
  }),
  maxParked: field({
    group: "node",
    kind: whole(0, MOST_PARKED),
    flag: "max-parked",
    env: ["MILLRACE_MAX_PARKED"],
    about:
      "Jobs of a queue's producers that may wait for a later start, and as many at gates. Default: the queue's `maxJobs`, or 1,000,000.",
  }),
  replicas: field({
    group: "node",
    kind: replicaCount,
    flag: "replicas",
    env: ["MILLRACE_REPLICAS"],
    default: 1,
    about: "Copies of every stream and bucket that this process makes: 1, or 3 or 5 in a cluster.",
  }),
  healthHost: field({
    group: "health",
    kind: text,
    flag: "health-host",
    env: ["MILLRACE_HEALTH_HOST"],
    about: "Address the health server listens on. Default: all.",
  }),
  healthPort: field({
    group: "health",
    kind: whole(0, 65_535),
    flag: "health-port",
    env: ["MILLRACE_HEALTH_PORT"],
    default: 8086,
    about: "Port of /livez, /readyz and /metrics. 0: a free one.",
  }),
  logLevel: field({
    group: "node",
    kind: oneOf("debug", "info", "warn", "error"),
    flag: "log-level",
    env: ["MILLRACE_LOG_LEVEL"],
    default: "info",
    about: "What is logged, on stderr.",
  }),
  recordsDir: field({
    group: "records",
    kind: directory,
    flag: "records-dir",
    env: ["MILLRACE_RECORDS_DIR"],
    about: "Directory for execution records as files of JSON lines.",
  }),
  recordsSqlite: field({
    group: "records",
    kind: file,
    flag: "records-sqlite",
    env: ["MILLRACE_RECORDS_SQLITE"],
    about: "SQLite database file for execution records.",
  }),
  recordsPostgres: field({
    group: "records",
    kind: text,
    env: ["MILLRACE_RECORDS_POSTGRES"],
    secret: true,
    about: "URL of a PostgreSQL database for execution records. Needs the package pg.",
  }),
  recordsKeepMs: field({
    group: "records",
    kind: duration,
    flag: "records-keep",
    env: ["MILLRACE_RECORDS_KEEP"],
    default: 30 * 86_400_000,
    about: "How long execution records are kept.",
  }),
  outboxPostgres: field({
    group: "outbox",
    kind: text,
    env: ["MILLRACE_OUTBOX_POSTGRES"],
    secret: true,
    about: "URL of a PostgreSQL database whose outbox is relayed. Needs the package pg.",
  }),
  outboxSqlite: field({
    group: "outbox",
    kind: file,
    flag: "outbox-sqlite",
    env: ["MILLRACE_OUTBOX_SQLITE"],
    about: "SQLite database file whose outbox is relayed.",
  }),
  uiHost: field({
    group: "dashboard",
    kind: text,
    flag: "ui-host",
    env: ["MILLRACE_UI_HOST"],
    default: "127.0.0.1",
    about: "Address the dashboard listens on. Any but this machine's own needs `uiUsers`.",
  }),
  uiPort: field({
    group: "dashboard",
    kind: whole(0, 65_535),
    flag: "ui-port",
    env: ["MILLRACE_UI_PORT"],
    default: 8087,
    about: "Port of the dashboard. 0: a free one.",
  }),
  uiUsers: field({
    group: "dashboard",
    kind: text,
    env: ["MILLRACE_UI_USERS"],
    secret: true,
    about:
      "Who may log in to the dashboard: `name:operator:password` or `name:viewer:password`, with commas between them.",
  }),
} as const;

export type FieldKey = keyof typeof FIELDS;

type ValueOf<Key extends FieldKey> =
  (typeof FIELDS)[Key]["kind"] extends FieldKind<infer Value> ? Value : never;

/** Keys whose field has a default are always there. */
type DefaultedKey = {
  [Key in FieldKey]: (typeof FIELDS)[Key] extends { readonly default: unknown } ? Key : never;
}[FieldKey];

/** The validated, frozen configuration. */
export type Config = { readonly [Key in DefaultedKey]: ValueOf<Key> } & {
  readonly [Key in Exclude<FieldKey, DefaultedKey>]?: ValueOf<Key>;
};

/**
 * What may be given for the fields in code: durations and lists in their readable forms too.
 * Checked when read.
 */
export type ConfigInput = {
  readonly [Key in FieldKey]?: ValueOf<Key> extends number
    ? number | string
    : ValueOf<Key> extends readonly string[]
      ? string | readonly string[]
      : ValueOf<Key>;
};

/** Keeps each field's own value type, and whether it has a default. */
function field<Value, const F extends Field<Value>>(
  definition: F & { readonly kind: FieldKind<Value> },
): F & Field<Value> {
  return definition;
}

export const FIELD_KEYS = Object.keys(FIELDS) as readonly FieldKey[];
