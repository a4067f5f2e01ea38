import type {
  BatchCounts,
  BrokerStatus,
  ControlMark,
  Duration,
  FlowPlace,
  HistoryRecord,
  JobLogLine,
  LockView,
  LockWaiter,
  ProgressReport,
  QueueSnapshot,
  RateLimit,
  RecordedError,
  Stoppable,
} from "@millrace/core";
import type { Mask } from "@millrace/telemetry/masking";
import type { JobHoldView } from "../api/views/hold-views.ts";
import type { StepView } from "../api/views/step-view.ts";
import type { NodeView, OperationView } from "../api/views/views.ts";
import type { FleetAudit } from "./fleet-audit.ts";
import type { FleetDeadFilter, FleetDeadLetters } from "./fleet-dead.ts";
import type { LiveState } from "./live-states.ts";
import type { FleetMachine, FleetMachines } from "./fleet-machines.ts";
import type { FleetSchedules } from "./fleet-schedules.ts";

/**
 * What the dashboard needs of a client: some of the public functions of `connect()`'s result, which
 * fits as it is. It is written down here, and not imported, because the package `millrace` builds
 * on this one.
 */
export interface Fleet {
  /** Hides secrets in what is shown. What it hides, its filters don't find either. */
  readonly mask: Mask;
  readonly status: BrokerStatus;
  onStatus(listener: (status: BrokerStatus) => void): () => void;
  health(): Promise<{
    readonly ready: boolean;
    readonly server: string;
    readonly problem?: string;
  }>;
  cancel(
    id: string,
    options: { readonly queue: string; readonly reason?: string },
  ): Promise<{ readonly id: string; readonly queue: string; readonly state: string }>;
  signal(queue: string, id: string, name: string, value: unknown): Promise<void>;
  handle(id: string, queue: string): FleetHandle;
  machine(machine: string, id: string): FleetMachine;
  readonly machines: FleetMachines;
  readonly jobs: FleetJobs;
  readonly batches: {
    get(id: string, options: { readonly queue: string }): Promise<FleetBatch | undefined>;
  };
  readonly queues: FleetQueues;
  readonly nodes: FleetNodes;
  readonly locks: FleetLocks;
  readonly dead: FleetDeadLetters;
  readonly cron: FleetSchedules;
  readonly audit: FleetAudit;
  readonly operations: FleetOperations;
  readonly samples: FleetSamples;
}

/** The fleet at one time. */
export interface FleetSample {
  readonly at: number;
  readonly queues: Readonly<Record<string, FleetQueueSample>>;
  readonly slots: number;
  readonly used: number;
}

export interface FleetQueueSample {
  readonly queued: number;
  readonly running: number;
  readonly delayed: number;
  readonly blocked: number;
  readonly dead: number;
  readonly oldestAgeMs: number;
}

export interface FleetSamples {
  list(query: { readonly since: number }): Promise<readonly FleetSample[]>;
  serve(options: { readonly onDefect?: (error: unknown) => void }): Promise<Stoppable>;
}

export interface FleetHandle {
  logs(): AsyncIterable<FleetLogEntry>;
  /** One of the two. */
  reschedule(when: FleetTime): Promise<{ readonly notBefore?: number }>;
}

/** Another time of a job that waits for its time: `delay` counts from now. */
export interface FleetTime {
  readonly delay?: Duration;
  readonly at?: Date;
}

export interface FleetLogEntry extends JobLogLine {
  readonly attempt: number;
  readonly node: string;
  readonly token: number;
  readonly createdAt: number;
}

export interface FleetNote {
  readonly reason?: string;
  readonly by?: string;
}

export type RecordedState = HistoryRecord["state"];

export interface FleetJobs {
  get(
    id: string,
    options: { readonly queue: string; readonly hold?: boolean; readonly payload?: boolean },
  ): Promise<FleetJob>;
  list(query: {
    readonly state?: RecordedState;
    readonly queue?: string;
    readonly limit?: number;
    readonly where?: string;
  }): Promise<readonly HistoryRecord[]>;
  search(query: {
    readonly state: LiveState;
    readonly queue?: string;
    readonly where?: string;
    readonly limit: number;
    readonly most: number;
    readonly within: Duration;
  }): Promise<{
    readonly jobs: readonly FleetLiveJob[];
    readonly looked: number;
    readonly more: boolean;
    readonly unanswered?: number;
  }>;
  complete(
    filter: string,
    which: {
      readonly state: LiveState;
      readonly queue?: string;
      readonly timeout: Duration;
      readonly signal: AbortSignal;
    },
  ): Promise<readonly { readonly filter: string; readonly about: string }[]>;
  oldest(queue: string): Promise<FleetLiveJob | undefined>;
  watch(query: { readonly signal: AbortSignal }): AsyncIterable<HistoryRecord>;
}

export interface FleetJob extends FlowPlace {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly state: LiveState | Exclude<RecordedState, "requeued">;
  readonly attempts: number;
  readonly createdAt?: number;
  readonly running?: {
    readonly node: string;
    readonly attempt: number;
    readonly startedAt: number;
  };
  readonly parent?: { readonly id: string; readonly queue: string };
  readonly history: readonly HistoryRecord[];
  readonly result?: unknown;
  readonly progress?: ProgressReport;
  readonly error?: RecordedError;
  readonly steps?: readonly StepView[];
  readonly stepCount?: number;
  readonly traceId?: string;
  readonly hold?: JobHoldView;
  readonly cargo?: {
    readonly payload: unknown;
    readonly headers: Readonly<Record<string, string>>;
    readonly tags?: readonly string[];
  };
}

export interface FleetBatch extends BatchCounts {
  readonly left: number;
  readonly callback: { readonly id: string; readonly queue: string };
}

export interface FleetLiveJob {
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  readonly state: LiveState;
  readonly attempts: number;
  readonly lane?: string;
  readonly storedAt?: number;
  readonly gate?: string;
  readonly notBefore?: number;
  readonly createdAt?: number;
  readonly node?: string;
  /** Of one that was handed to a node which does not answer. */
  readonly silentMs?: number;
  readonly startedAt?: number;
  readonly traceId?: string;
}

export interface FleetQueue extends QueueSnapshot {
  readonly paused?: ControlMark;
  readonly closed?: ControlMark;
  readonly sendsTo?: readonly string[];
  readonly maxParked?: number;
}

export interface FleetLimits {
  readonly queue: string;
  readonly concurrency?: { readonly limit?: number; readonly holders: readonly FleetHolder[] };
  readonly rate?: RateLimit & { readonly available: number };
  readonly perKey?: {
    readonly concurrency?: number;
    readonly rate?: RateLimit;
    readonly holders: readonly { readonly key: string; readonly holder: string }[];
  };
  readonly size?: { readonly maxJobs?: number; readonly jobs: number };
}

export interface FleetRate {
  readonly limit: number;
  readonly per: Duration;
}

/** What is left out stays; null takes a limit away. */
export interface FleetQueueChange {
  readonly concurrency?: number | null;
  readonly rate?: FleetRate | null;
  readonly perKey?: { readonly concurrency?: number | null; readonly rate?: FleetRate | null };
  readonly maxJobs?: number | null;
  readonly maxBytes?: number | null;
  readonly sendsTo?: readonly string[] | null;
  readonly maxParked?: number | null;
}

export interface FleetGate {
  readonly queue: string;
  readonly gate: string;
  readonly jobs: number;
  readonly next?: { readonly id: string; readonly name: string; readonly since: number };
  readonly held: readonly LockView[];
}

export interface FleetLocks {
  list(): Promise<readonly LockView[]>;
  waiting(): Promise<readonly LockWaiter[]>;
  gates(query: { readonly queue?: string; readonly limit: number }): Promise<readonly FleetGate[]>;
  release(name: string, options: { readonly holder: string }): Promise<LockView | undefined>;
}

export interface FleetHolder {
  readonly holder: string;
  readonly count: number;
  readonly since?: number;
}

export interface FleetQueues {
  list(): Promise<readonly FleetQueue[]>;
  snapshot(queue: string): Promise<FleetQueue>;
  limits(queue?: string): Promise<readonly FleetLimits[]>;
  ensure(
    queue: string,
    settings: { readonly maxJobs?: number; readonly maxBytes?: number },
  ): Promise<void>;
  set(queue: string, change: FleetQueueChange): Promise<unknown>;
  pause(queue: string, note: FleetNote): Promise<unknown>;
  resume(queue: string): Promise<unknown>;
  drain(
    queue: string,
    options: FleetNote & {
      readonly signal: AbortSignal;
      readonly onProgress: (status: FleetQueue) => void;
    },
  ): Promise<{ readonly drained: boolean; readonly status: FleetQueue }>;
  purge(
    queue: string,
    options: { readonly by: string; readonly delayed: boolean; readonly signal?: AbortSignal },
  ): Promise<{ readonly cancelled: number; readonly dead: number }>;
}

export interface FleetNodes {
  list(): Promise<readonly NodeView[]>;
  quiet(name: string, note: FleetNote): Promise<void>;
  resume(name: string, note: FleetNote): Promise<void>;
  stop(name: string, note: FleetNote): Promise<void>;
}

export interface FleetLiveFilter {
  readonly state?: LiveState;
  readonly id?: string;
  readonly queue?: string;
  readonly where?: string;
}

export type FleetOperationTarget =
  | { readonly kind: "dead-retry" | "dead-discard"; readonly filter: FleetDeadFilter }
  | { readonly kind: "jobs-cancel"; readonly filter: FleetLiveFilter }
  | ({
      readonly kind: "jobs-reschedule";
      readonly filter: Omit<FleetLiveFilter, "state" | "id">;
    } & FleetTime);

export interface FleetOperations {
  count(
    target: FleetOperationTarget & {
      readonly signal?: AbortSignal;
      readonly timeout?: Duration;
      readonly onUnanswered?: (nodes: number) => void;
    },
  ): Promise<number>;
  start(
    request: FleetOperationTarget & FleetNote & { readonly atMost?: number },
  ): Promise<OperationView>;
  list(): Promise<readonly OperationView[]>;
  get(id: string): Promise<OperationView>;
  stop(id: string, note: { readonly by: string }): Promise<OperationView>;
  undo(id: string, note: FleetNote): Promise<OperationView>;
  run(id: string, limits: { readonly timeout: Duration }): Promise<OperationView>;
  serve(options: { readonly onDefect?: (error: unknown) => void }): Promise<Stoppable>;
}
