import { MOST_PARKED } from "@millrace/core";
import { field } from "./field.ts";
import {
  duration,
  keptFor,
  list,
  oneOf,
  replicaCount,
  queueSlots,
  text,
  whole,
} from "./field-kinds.ts";

/** What a node serves, how it ends, and where it says how it is. */
export const NODE_FIELDS = {
  /** Job files for `run` where none are named. */
  jobs: field({
    group: "node",
    kind: list,
    env: ["MILLRACE_JOBS"],
    about: "Job files for `run` where none are named.",
  }),
  /**
   * Slots by queue. A node serves the queues of its jobs; a queue that is named here besides is
   * served too, and made.
   */
  queues: field({
    group: "node",
    kind: queueSlots,
    flag: "queues",
    env: ["MILLRACE_QUEUES"],
    about:
      "Slots by queue. A node serves the queues of its jobs; a queue that is named here besides is served too, and made.",
  }),
  /** Slots of a queue that `queues` does not name. Default: `16`. */
  slots: field({
    group: "node",
    kind: whole(1, 10_000),
    flag: "slots",
    env: ["MILLRACE_SLOTS"],
    default: 16,
    about: "Slots of a queue that `queues` does not name.",
  }),
  /** Name of the node in records and logs. Default: the host name and the process id. */
  nodeName: field({
    group: "node",
    kind: text,
    flag: "name",
    env: ["MILLRACE_NODE_NAME"],
    about: "Name of the node in records and logs. Default: the host name and the process id.",
  }),
  /**
   * How long running jobs may go on after SIGTERM; then they are aborted and handed back, within 8
   * s more. Default: `20s`.
   */
  graceMs: field({
    group: "node",
    kind: duration,
    flag: "grace",
    env: ["MILLRACE_GRACE"],
    default: 20_000,
    about:
      "How long running jobs may go on after SIGTERM; then they are aborted and handed back, within 8 s more.",
  }),
  /**
   * How soon a dead node's jobs are delivered again. Extended by itself while a job runs. From 1 s
   * to 24 h. Default: `30s`.
   */
  leaseMs: field({
    group: "node",
    kind: duration,
    flag: "lease",
    env: ["MILLRACE_LEASE"],
    default: 30_000,
    about:
      "How soon a dead node's jobs are delivered again. Extended by itself while a job runs. From 1 s to 24 h.",
  }),
  /** Holders in a row that a job may take down before it is a dead letter. Default: `3`. */
  poisonAfter: field({
    group: "node",
    kind: whole(1, 1_000),
    flag: "poison-after",
    env: ["MILLRACE_POISON_AFTER"],
    default: 3,
    about: "Holders in a row that a job may take down before it is a dead letter.",
  }),
  /** Memory that jobs in hand may take, MiB. Default: half of what the process's heap may take. */
  jobMemoryMb: field({
    group: "node",
    kind: whole(1, 1_000_000),
    flag: "job-memory",
    env: ["MILLRACE_JOB_MEMORY_MB"],
    about:
      "Memory that jobs in hand may take, MiB. Default: half of what the process's heap may take.",
  }),
  /**
   * Jobs of a queue's producers that may wait for a later start, and as many at gates. Default: the
   * queue's `maxJobs`, or 1,000,000.
   */
  maxParked: field({
    group: "node",
    kind: whole(0, MOST_PARKED),
    flag: "max-parked",
    env: ["MILLRACE_MAX_PARKED"],
    about:
      "Jobs of a queue's producers that may wait for a later start, and as many at gates. Default: the queue's `maxJobs`, or 1,000,000.",
  }),
  /**
   * Copies of every stream and bucket that this process makes: 1, or 3 or 5 in a cluster. Default:
   * `1`.
   */
  replicas: field({
    group: "node",
    kind: replicaCount,
    flag: "replicas",
    env: ["MILLRACE_REPLICAS"],
    default: 1,
    about: "Copies of every stream and bucket that this process makes: 1, or 3 or 5 in a cluster.",
  }),
  /** Processes in which `run` runs the node side by side, each with its own slots. Default: `1`. */
  processes: field({
    group: "processes",
    kind: whole(1, 256),
    flag: "processes",
    env: ["MILLRACE_PROCESSES"],
    default: 1,
    about: "Processes in which `run` runs the node side by side, each with its own slots.",
  }),
  /** Address the health server listens on. Default: all. */
  healthHost: field({
    group: "health",
    kind: text,
    flag: "health-host",
    env: ["MILLRACE_HEALTH_HOST"],
    about: "Address the health server listens on. Default: all.",
  }),
  /** Port of /livez, /readyz and /metrics. 0: a free one. Default: `8086`. */
  healthPort: field({
    group: "health",
    kind: whole(0, 65_535),
    flag: "health-port",
    env: ["MILLRACE_HEALTH_PORT"],
    default: 8086,
    about: "Port of /livez, /readyz and /metrics. 0: a free one.",
  }),
  /**
   * Keeps what handlers log, from this level up, for `jobs logs` and the dashboard. Default: `off`.
   */
  jobLogs: field({
    group: "node",
    kind: oneOf("off", "debug", "info", "warn", "error"),
    flag: "job-logs",
    env: ["MILLRACE_JOB_LOGS"],
    default: "off",
    about: "Keeps what handlers log, from this level up, for `jobs logs` and the dashboard.",
  }),
  /** Lines that are kept of one attempt. Default: `1000`. */
  jobLogMaxLines: field({
    group: "node",
    kind: whole(1, 1_000_000),
    flag: "job-log-max-lines",
    env: ["MILLRACE_JOB_LOG_MAX_LINES"],
    default: 1_000,
    about: "Lines that are kept of one attempt.",
  }),
  /** KiB that are kept of one attempt, roughly. Default: `256`. */
  jobLogMaxKb: field({
    group: "node",
    kind: whole(1, 1_000_000),
    flag: "job-log-max-kb",
    env: ["MILLRACE_JOB_LOG_MAX_KB"],
    default: 256,
    about: "KiB that are kept of one attempt, roughly.",
  }),
  /**
   * How long lines are kept. Set when the first line is kept; the stream's own counts then.
   * Default: `7d`.
   */
  jobLogsKeepMs: field({
    group: "node",
    kind: keptFor,
    flag: "job-logs-keep",
    env: ["MILLRACE_JOB_LOGS_KEEP"],
    default: 7 * 86_400_000,
    about:
      "How long lines are kept. Set when the first line is kept; the stream's own counts then.",
  }),
  /** MiB of lines that are kept in all; the oldest go first. Set as the age is. Default: `256`. */
  jobLogsMaxMb: field({
    group: "node",
    kind: whole(1, 1_000_000),
    flag: "job-logs-max-mb",
    env: ["MILLRACE_JOB_LOGS_MAX_MB"],
    default: 256,
    about: "MiB of lines that are kept in all; the oldest go first. Set as the age is.",
  }),
  /** What is logged, on stderr. Default: `info`. */
  logLevel: field({
    group: "node",
    kind: oneOf("debug", "info", "warn", "error"),
    flag: "log-level",
    env: ["MILLRACE_LOG_LEVEL"],
    default: "info",
    about: "What is logged, on stderr.",
  }),
} as const;
