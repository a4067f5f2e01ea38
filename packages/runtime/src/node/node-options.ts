import { hostname } from "node:os";
import { inspect } from "node:util";
import { getHeapStatistics } from "node:v8";
import {
  type Broker,
  type Clock,
  type Duration,
  type ExecutionLog,
  type Instrumentation,
  isConcurrency,
  isId,
  isMaxParked,
  isSendsTo,
  laneWeights,
  type LaneWeights,
  type Logger,
  LONGEST_LEASE_MS,
  type MachineDefinition,
  type MetricsCollector,
  type Middleware,
  MillraceError,
  noExecutionLog,
  noMetrics,
  optionNames,
  type QueueSettings,
  refuseUnknown,
  requireJobList,
  requireParts,
  requireQueueName,
  requireQueueSettings,
  type Schedule,
  silentLogger,
  systemClock,
  toMs,
  unfailingLogger,
  unfailingMetrics,
} from "@millrace/core";
import { type JobLogConfig, jobLogConfig, type JobLogOptions } from "../job-log/job-log-options.ts";
import { requireMachines } from "../registry/collect-machines.ts";
import { requireSchedules } from "../registry/collect-schedules.ts";

/** How a node treats one queue. */
export interface NodeQueueOptions {
  /** Jobs of the queue that run at once on this node. Default: the node's `slots`. */
  readonly slots?: number;
  /**
   * How the slots are shared between lanes in which jobs wait, each from 1. Default: high 6, normal
   * 3, low 1.
   */
  readonly weights?: Partial<LaneWeights>;
  /**
   * Jobs of the queue that run at once over all nodes. A control that an operator sets (`millrace
   * queues set`) counts instead; nodes that disagree are each bound by their own. Default: no cap.
   */
  readonly concurrency?: number;
  /**
   * Other queues that the jobs of this queue's producers may be followed by jobs in (`next`). Give
   * it to every node that serves one of them. What an operator sets (`millrace queues set`) counts
   * instead. Default: none.
   */
  readonly sendsTo?: readonly string[];
  /**
   * Jobs of the queue's producers that may wait for a later start, and as many may be blocked at
   * gates. What an operator sets (`millrace queues set`) counts instead. Default: the node's
   * `maxParked`.
   */
  readonly maxParked?: number;
  /** The queue's own limits, set when the node starts. Left out: whatever the queue has. */
  readonly settings?: QueueSettings;
}

export interface ThreadOptions {
  /**
   * The most a thread's heap may take, MiB; an attempt that needs more fails as `thread-exited` and
   * its thread ends. Left out: as much as the process may.
   */
  readonly maxHeapMb?: number;
}

export interface NodeOptions {
  readonly broker: Broker;
  /** What `definition.handler(…)` returned. Their queues are served. */
  readonly jobs: readonly unknown[];
  /**
   * What `defineSchedule(…)` returned. Stored when the node starts; which node enqueues the jobs is
   * for the nodes to settle.
   */
  readonly schedules?: readonly unknown[];
  /** What `defineMachine(…)` returned: durable machines whose events are taken here. */
  readonly machines?: readonly unknown[];
  /** Unique in the fleet. Default: host name, process id and a few random letters. */
  readonly name?: string;
  /** Default for every queue: 16. */
  readonly slots?: number;
  /**
   * Per queue. Naming a queue that no job is defined on serves it too, with every handler of the
   * node.
   */
  readonly queues?: Readonly<Record<string, NodeQueueOptions>>;
  /**
   * How long running jobs may go on after SIGTERM. What does not end then is aborted and handed
   * back, within 8 s more. Default: 20 s.
   */
  readonly grace?: Duration;
  /**
   * How soon a dead node's jobs are delivered again, from 1 s to 24 h. Extended by itself while a
   * handler runs. Default: 30 s.
   */
  readonly lease?: Duration;
  /**
   * How soon another node leads the schedules when the one that led them has died. Default: the
   * lease, but 10 s at most.
   */
  readonly schedulerLease?: Duration;
  /** Crashes in a row that make a job a dead letter. Default: 3. */
  readonly poisonAfter?: number;
  /**
   * Memory that jobs in hand may take, MiB: their messages, and what becomes of them when they are
   * read. What finds no room waits; one job is always taken. Default: half of what the process's
   * heap may take.
   */
  readonly jobMemoryMb?: number;
  /**
   * For every queue: jobs of its producers that may wait for a later start, and as many may be
   * blocked at gates. One too many for later is a dead letter (`parked-full`); one too many at a
   * gate stays in the node's hands, so that the queue fills. Default: the queue's `maxJobs`, or
   * 1,000,000 where it has none.
   */
  readonly maxParked?: number;
  /** For jobs with `isolation: "thread"`. */
  readonly threads?: ThreadOptions;
  readonly middleware?: readonly Middleware[];
  readonly metrics?: MetricsCollector;
  readonly executionLog?: ExecutionLog;
  /**
   * Follows every attempt and what it enqueues: `telemetry()`. Default: none, which costs nothing.
   */
  readonly instrumentation?: Instrumentation;
  readonly log?: Logger;
  /**
   * Hides secrets in errors' messages and stacks before they are recorded. Default: they are
   * recorded as they are.
   */
  readonly maskText?: (text: string) => string;
  /**
   * Keeps what handlers log with their context's `log` on the server, for the job's page and
   * `millrace jobs logs`. Default: nothing is kept.
   */
  readonly jobLogs?: JobLogOptions;
  readonly clock?: Clock;
  /** In [0, 1), for jitter. */
  readonly random?: () => number;
}

export interface NodeConfig {
  readonly broker: Broker;
  readonly jobs: readonly unknown[];
  readonly schedules: readonly Schedule[];
  readonly machines: readonly MachineDefinition[];
  readonly name: string;
  readonly slots: number;
  readonly queues: ReadonlyMap<string, NodeQueueOptions>;
  readonly graceMs: number;
  readonly leaseMs: number;
  readonly schedulerLeaseMs: number;
  readonly poisonAfter: number;
  readonly jobMemoryBytes: number;
  readonly maxParked: number | undefined;
  readonly threads: ThreadOptions;
  readonly middleware: readonly Middleware[];
  readonly metrics: MetricsCollector;
  readonly executionLog: ExecutionLog;
  readonly instrumentation: Instrumentation | undefined;
  readonly log: Logger;
  readonly maskText: ((text: string) => string) | undefined;
  readonly jobLogs: JobLogConfig | undefined;
  readonly clock: Clock;
  readonly random: () => number;
}

const NAMES = optionNames<NodeOptions>({
  ...{
    broker: true,
    jobs: true,
    schedules: true,
    machines: true,
    name: true,
    slots: true,
    queues: true,
  },
  ...{ grace: true, lease: true, schedulerLease: true, poisonAfter: true, jobMemoryMb: true },
  ...{ maxParked: true, threads: true, middleware: true, metrics: true, executionLog: true },
  ...{ instrumentation: true, log: true, maskText: true, jobLogs: true, clock: true, random: true },
});
const QUEUE_NAMES = optionNames<NodeQueueOptions>({
  ...{ slots: true, weights: true, concurrency: true, sendsTo: true, maxParked: true },
  settings: true,
});
const THREAD_NAMES = optionNames<ThreadOptions>({ maxHeapMb: true });

const LEAST_LEASE_MS = 1_000;
/**
 * A dead leader keeps schedules waiting for so long. It costs the leader one small write in a third
 * of it.
 */
const LONGEST_USUAL_SCHEDULER_LEASE_MS = 10_000;

/**
 * Options with their defaults, checked once.
 *
 * @throws MillraceError `invalid-option`, `invalid-duration`, `invalid-name`, naming the field
 */
export function nodeConfig({ broker, ...options }: NodeOptions): NodeConfig {
  return Object.freeze({ broker, ...nodeSettings(options) });
}

/** The same of a node whose broker is not there yet. */
export function nodeSettings(options: Omit<NodeOptions, "broker">): Omit<NodeConfig, "broker"> {
  refuseUnknown(options, NAMES, "a node");
  requireParts(options);
  requireJobList(options);
  const leaseMs = toMs(options.lease ?? "30s", "lease");
  requireLease("lease", options.lease, leaseMs);
  const name = options.name ?? defaultName();
  if (!isId(name)) throw wrong("name", name, "made of A-Z a-z 0-9 _ : -, up to 128");
  const queues = new Map<string, NodeQueueOptions>();
  for (const [queue, settings] of Object.entries(options.queues ?? {})) {
    refuseUnknown(settings, QUEUE_NAMES, "a node's queue", `queues.${queue}`);
    if (settings.settings !== undefined) requireQueueSettings(settings.settings);
    if (settings.slots !== undefined) wholeFrom1(settings.slots, `queues.${queue}.slots`);
    laneWeights(settings.weights, `queues.${queue}.weights`);
    if (settings.concurrency !== undefined && !isConcurrency(settings.concurrency))
      throw wrong(`queues.${queue}.concurrency`, settings.concurrency, "a whole number from 1");
    if (settings.sendsTo !== undefined && !isSendsTo(settings.sendsTo))
      throw wrong(`queues.${queue}.sendsTo`, settings.sendsTo, "a list of names of queues");
    requireMaxParked(settings.maxParked, `queues.${queue}.maxParked`);
    queues.set(requireQueueName(queue), settings);
  }
  const machines = requireMachines(options.machines ?? []);
  const log = unfailingLogger(options.log ?? silentLogger);
  return {
    jobs: [...options.jobs, ...machines.flatMap(({ promiseJobs }) => promiseJobs)],
    schedules: requireSchedules(options.schedules ?? []),
    machines,
    name,
    slots: wholeFrom1(options.slots ?? 16, "slots"),
    queues,
    graceMs: toMs(options.grace ?? "20s", "grace"),
    leaseMs,
    schedulerLeaseMs: schedulerLeaseMs(options.schedulerLease, leaseMs),
    poisonAfter: wholeFrom1(options.poisonAfter ?? 3, "poisonAfter"),
    jobMemoryBytes: jobMemoryBytes(options.jobMemoryMb),
    maxParked: requireMaxParked(options.maxParked, "maxParked"),
    threads: threadOptions(options.threads),
    middleware: options.middleware ?? [],
    metrics: unfailingMetrics(options.metrics ?? noMetrics, log),
    executionLog: options.executionLog ?? noExecutionLog,
    instrumentation: options.instrumentation,
    log,
    maskText: options.maskText,
    jobLogs: jobLogConfig(options.jobLogs),
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  };
}

function schedulerLeaseMs(lease: Duration | undefined, leaseMs: number): number {
  if (lease === undefined) return Math.min(leaseMs, LONGEST_USUAL_SCHEDULER_LEASE_MS);
  const ms = toMs(lease, "schedulerLease");
  requireLease("schedulerLease", lease, ms);
  return ms;
}

function requireLease(field: string, given: Duration | undefined, ms: number): void {
  if (ms < LEAST_LEASE_MS || ms > LONGEST_LEASE_MS)
    throw wrong(field, given, "at least 1s and at most 24h");
}

const MIB = 2 ** 20;

function jobMemoryBytes(mb: number | undefined): number {
  return mb === undefined
    ? Math.round(getHeapStatistics().heap_size_limit / 2)
    : MIB * wholeFrom1(mb, "jobMemoryMb");
}

function requireMaxParked(value: number | undefined, field: string): number | undefined {
  if (value === undefined || isMaxParked(value)) return value;
  throw wrong(field, value, "a whole number from 0");
}

function threadOptions(options: ThreadOptions = {}): ThreadOptions {
  refuseUnknown(options, THREAD_NAMES, "threads", "threads");
  const { maxHeapMb } = options;
  return maxHeapMb === undefined ? {} : { maxHeapMb: wholeFrom1(maxHeapMb, "threads.maxHeapMb") };
}

function defaultName(): string {
  const host =
    hostname()
      .replace(/[^A-Za-z0-9_-]/g, "-")
      .slice(0, 64) || "node";
  return `${host}-${process.pid}-${Math.random().toString(36).slice(2, 6)}`;
}

function wholeFrom1(value: number, field: string): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw wrong(field, value, "a whole number from 1");
}

function wrong(field: string, value: unknown, expected: string): MillraceError {
  return new MillraceError(
    "invalid-option",
    `${field} must be ${expected}; got ${inspect(value)}.`,
  );
}
