import {
  DEFAULT_MAX_DELAY_MS,
  DEFAULT_MAX_VALUES,
  LEAST_MAX_VALUES,
  type Logger,
  MillraceError,
  optionNames,
  refuseUnknown,
  requireNamespace,
  silentLogger,
  unfailingLogger,
} from "@millrace/core";
import type { NatsAuth, NatsConnectionOptions, NatsTls } from "./connection/connection-options.ts";
import type { HistoryLimits } from "./topology/history-stream.ts";
import type { JobLogLimits } from "./topology/streams.ts";

const NATS_TLS_NAMES = optionNames<NatsTls>({
  ...{ caFile: true, certFile: true, keyFile: true, handshakeFirst: true },
});
/** Of each of its kinds. */
const NATS_AUTH_NAMES = optionNames<
  Record<NatsAuth extends infer Kind ? (Kind extends unknown ? keyof Kind : never) : never, true>
>({
  ...{ kind: true, file: true, seedFile: true, token: true, user: true, password: true },
});

/** How to reach the server, and what Millrace keeps on it. */
export interface NatsBrokerOptions extends NatsConnectionOptions {
  /** Two namespaces on one account never touch. Default `millrace`. */
  readonly namespace?: string;
  /** Copies of every stream and bucket that this broker creates. Default 1; 3 in a cluster. */
  readonly replicas?: number;
  /**
   * Bounds of the execution history, when this broker creates it. Default seven days and a million
   * records.
   */
  readonly history?: Partial<HistoryLimits>;
  /**
   * Bounds of what handlers logged, when this broker creates its stream: that is when the first
   * line is kept. Default seven days and 256 MiB, which the server sets aside.
   */
  readonly jobLogs?: Partial<JobLogLimits>;
  /**
   * Values that a job's body may hold, keys of maps among them: see `Broker.maxValues`. The same in
   * producers and nodes. Default 100,000.
   */
  readonly maxValues?: number;
  /**
   * How far ahead a producer may put a job's start, milliseconds. The same in producers and nodes.
   * Default 366 days.
   */
  readonly maxDelayMs?: number;
  /**
   * For what the broker meets on its own, such as a delayed job whose queue is gone. Default:
   * nothing is logged.
   */
  readonly logger?: Logger;
  /** Ends the waiting for a server (`waitOnFirstConnect`). */
  readonly signal?: AbortSignal;
}

const NAMES = optionNames<NatsBrokerOptions>({
  ...{ servers: true, name: true, auth: true, tls: true, waitOnFirstConnect: true },
  ...{ connectTimeoutMs: true, pingIntervalMs: true, reconnectWaitMs: true, inboxPrefix: true },
  ...{ namespace: true, replicas: true, history: true, jobLogs: true, maxValues: true },
  ...{ maxDelayMs: true, logger: true, signal: true },
});
const HISTORY_NAMES = optionNames<HistoryLimits>({ maxAgeMs: true, maxRecords: true });
const JOB_LOG_NAMES = optionNames<JobLogLimits>({ maxAgeMs: true, maxBytes: true });

export interface BrokerConfig {
  readonly connection: NatsConnectionOptions;
  readonly namespace: string;
  readonly replicas: number;
  readonly history: HistoryLimits;
  readonly jobLogs: JobLogLimits;
  readonly maxValues: number;
  readonly maxDelayMs: number;
  readonly logger: Logger;
  readonly signal: AbortSignal | undefined;
}

const DEFAULT_HISTORY: HistoryLimits = { maxAgeMs: 7 * 86_400_000, maxRecords: 1_000_000 };
const DEFAULT_JOB_LOGS: JobLogLimits = { maxAgeMs: 7 * 86_400_000, maxBytes: 256 * 2 ** 20 };

/** @throws MillraceError `invalid-option`, `invalid-name` */
export function brokerConfig(options: NatsBrokerOptions): BrokerConfig {
  refuseUnknown(options, NAMES, "a broker");
  const {
    namespace = "millrace",
    replicas = 1,
    history = {},
    jobLogs = {},
    maxValues = DEFAULT_MAX_VALUES,
    maxDelayMs = DEFAULT_MAX_DELAY_MS,
    logger = silentLogger,
    signal,
    ...connection
  } = options;
  refuseUnknown(history, HISTORY_NAMES, "a broker's history", "history");
  refuseUnknown(jobLogs, JOB_LOG_NAMES, "a broker's jobLogs", "jobLogs");
  const { servers, auth, tls } = connection;
  if (typeof servers !== "string" && !Array.isArray(servers))
    throw new MillraceError("invalid-option", "servers: must be an address, or a list of them.");
  if (auth !== undefined) refuseUnknown(auth, NATS_AUTH_NAMES, "a broker's auth", "auth");
  if (tls !== undefined) refuseUnknown(tls, NATS_TLS_NAMES, "a broker's tls", "tls");
  if (![1, 3, 5].includes(replicas)) throw invalid("replicas", "1, 3 or 5", replicas);
  const limits = { ...DEFAULT_HISTORY, ...history };
  if (!(limits.maxAgeMs >= 1_000))
    throw invalid("history.maxAgeMs", "at least 1000 milliseconds", limits.maxAgeMs);
  if (!Number.isSafeInteger(limits.maxRecords) || limits.maxRecords < 1)
    throw invalid("history.maxRecords", "a whole number from 1", limits.maxRecords);
  const lines = { ...DEFAULT_JOB_LOGS, ...jobLogs };
  if (!(lines.maxAgeMs >= 1_000))
    throw invalid("jobLogs.maxAgeMs", "at least 1000 milliseconds", lines.maxAgeMs);
  if (!Number.isSafeInteger(lines.maxBytes) || lines.maxBytes < 2 ** 20)
    throw invalid("jobLogs.maxBytes", "a whole number from 1048576", lines.maxBytes);
  if (!Number.isSafeInteger(maxValues) || maxValues < LEAST_MAX_VALUES)
    throw invalid("maxValues", `a whole number from ${LEAST_MAX_VALUES}`, maxValues);
  if (!(maxDelayMs >= 1_000)) throw invalid("maxDelayMs", "at least 1000 milliseconds", maxDelayMs);
  return Object.freeze({
    connection,
    namespace: requireNamespace(namespace),
    replicas,
    history: limits,
    jobLogs: lines,
    maxValues,
    maxDelayMs,
    logger: unfailingLogger(logger),
    signal,
  });
}

function invalid(field: string, expected: string, value: unknown): MillraceError {
  return new MillraceError("invalid-option", `${field} is ${expected}; got ${String(value)}.`);
}
