import {
  type Broker,
  type Clock,
  type ExecutionLog,
  type Instrumentation,
  type Logger,
  type MetricsCollector,
  type Middleware,
  optionNames,
  refuseUnknown,
  requireJobList,
  requireParts,
} from "@millrace/core";
import type { NodeQueueOptions } from "@millrace/runtime";
import { type ConfigInput, FIELD_KEYS } from "../config/fields.ts";

/**
 * A node's options. Every configuration field may be given here; what is left out comes from the
 * environment (`MILLRACE_…`), then from `configFile`, then from the defaults. See
 * `docs/configuration.md`.
 */
export interface NodeOptions extends Omit<ConfigInput, "jobs" | "queues"> {
  /** What `definition.handler(…)` returned. Their queues are served. */
  readonly jobs: readonly unknown[];
  /**
   * What `defineSchedule(…)` returned. Stored when the node starts; one node of the namespace
   * enqueues the jobs.
   */
  readonly schedules?: readonly unknown[];
  /**
   * What `defineMachine(…)` returned: durable machines whose events are taken here, and whose
   * promises run here as jobs.
   */
  readonly machines?: readonly unknown[];
  /** Slots, or slots and limits, by queue. */
  readonly queues?: Readonly<Record<string, number | NodeQueueOptions>>;
  /** A configuration file to read. Default: none; only the command looks for one by itself. */
  readonly configFile?: string;
  /** Default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** A broker of your own instead of a connection. Closed when the node has stopped. */
  readonly broker?: Broker;
  /**
   * Keep trying while no server answers at the start. Default true: a node may start before its
   * server.
   */
  readonly waitForServer?: boolean;
  readonly middleware?: readonly Middleware[];
  readonly metrics?: MetricsCollector;
  /** Instead of the one that `recordsDir` and its kin ask for. See `docs/records.md`. */
  readonly executionLog?: ExecutionLog;
  /**
   * Follows every attempt and what it enqueues: `telemetry()` of `millrace/telemetry`. Default:
   * none, which costs nothing.
   */
  readonly instrumentation?: Instrumentation;
  /**
   * Where the node and its handlers log: pino, or anything like it. Secrets are masked on the way.
   * Default: nowhere.
   */
  readonly log?: Logger;
  readonly clock?: Clock;
}

const OWN_NAMES = optionNames<Omit<NodeOptions, Exclude<keyof ConfigInput, "jobs" | "queues">>>({
  ...{
    jobs: true,
    schedules: true,
    machines: true,
    queues: true,
    configFile: true,
    env: true,
    broker: true,
  },
  ...{ waitForServer: true, middleware: true, metrics: true, executionLog: true },
  ...{ instrumentation: true, log: true, clock: true },
});
/** `onNode` and `onListening` are `runNode`'s. */
const NAMES: ReadonlySet<string> = new Set([
  ...OWN_NAMES,
  ...FIELD_KEYS,
  ...["onNode", "onListening"],
]);

/** @throws MillraceError `invalid-option` for an option that there is not, or is something else */
export function requireNodeOptions(options: NodeOptions): void {
  refuseUnknown(options, NAMES, "a node");
  requireParts(options);
  requireJobList(options);
}
