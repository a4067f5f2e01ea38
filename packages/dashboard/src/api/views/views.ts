/**
 * What the API tells the page, as it stands in JSON. Imports nothing that runs, because it is read
 * by a browser's program and by Node's. Times are epoch milliseconds. Payloads, results, errors,
 * reasons and notes are masked before they get here.
 */

import type { DashboardFinding } from "../../fleet/doctor.ts";
import type { GateView, LimitsView } from "./limits-views.ts";
import type { StepView } from "./step-view.ts";

export type Role = "viewer" | "operator";

export interface SessionView {
  /** `payloads`: whether they may see what is masked. */
  readonly user: { readonly name: string; readonly role: Role; readonly payloads: boolean };
  /** What the page says it is about: a namespace, an environment. */
  readonly title: string;
  /** Whether there is an outbox to look at. */
  readonly outbox: boolean;
  /** Whether somebody can be asked what is wrong. */
  readonly doctor: boolean;
  /** Whether jobs are in an index that can be searched. */
  readonly search: boolean;
  /** Address of a Grafana that shows more. */
  readonly grafana?: string;
  /** Address of a trace's page, with `{traceId}` in it. */
  readonly traceUrl?: string;
}

export interface MarkView {
  readonly since: number;
  readonly by?: string;
  readonly reason?: string;
}

export interface QueueView {
  readonly queue: string;
  readonly queued: number;
  readonly running: number;
  readonly delayed: number;
  readonly blocked: number;
  readonly dead: number;
  readonly oldestAgeMs: number;
  readonly open: boolean;
  readonly maxJobs?: number;
  readonly maxBytes?: number;
  /** Other queues that what its producers enqueue may be followed in; absent where none is set. */
  readonly sendsTo?: readonly string[];
  readonly maxParked?: number;
  readonly paused?: MarkView;
  readonly closed?: MarkView;
  /** Of what runs: jobs of nodes that are taken for dead or forgotten, where no other serves it. */
  readonly lost?: number;
  /** The same of nodes that may only be too busy to say that they are there. */
  readonly unheard?: number;
  /** For how long nothing has been heard of any of these nodes; absent where none is known. */
  readonly silentMs?: number;
  /** Over all nodes that are there. */
  readonly slots: number;
  readonly nodes: number;
}

export interface NodeView {
  readonly name: string;
  readonly state: string;
  readonly desired: string;
  readonly obeys: string;
  readonly order?: { readonly at: number; readonly by: string; readonly reason?: string };
  readonly host: string;
  readonly pid: number;
  readonly startedAt: number;
  readonly seenAt: number;
  readonly silentMs: number;
  /** Of Millrace. It, `engine` and `memory` are absent of a node of an older version. */
  readonly version?: string;
  readonly engine?: string;
  readonly memory?: { readonly rssBytes: number; readonly heapBytes: number };
  readonly queues: readonly NodeQueueView[];
}

export interface NodeQueueView {
  readonly queue: string;
  readonly state: string;
  readonly slots: number;
  readonly used: number;
  readonly ended: number;
  readonly stuck?: number;
  readonly stuckBy?: string;
}

/** Something that somebody should look at, and where. */
export interface ProblemView {
  readonly severity: "critical" | "warning";
  readonly text: string;
  /** Relative to the dashboard: `queues/mail`. */
  readonly link: string;
}

/** How many attempts ended so in the seconds up to `at`. */
export interface RateView {
  readonly at: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly dead: number;
}

export interface OverviewView {
  readonly at: number;
  readonly connected: boolean;
  readonly server: string;
  readonly problems: readonly ProblemView[];
  readonly queues: readonly QueueView[];
  readonly nodes: readonly NodeView[];
  readonly rates: readonly RateView[];
}

/** The oldest job in a queue, where there is one. */
export interface OldestView {
  readonly job?: RefView;
}

export interface QueueDetailView {
  readonly queue: QueueView;
  readonly limits?: LimitsView;
  /** Where jobs of it are blocked, those with the most jobs first. */
  readonly gates: readonly GateView[];
}

export interface ErrorView {
  readonly type: string;
  readonly message: string;
  readonly stack?: string;
  /** What its class names to be kept. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

export interface RefView {
  readonly id: string;
  readonly queue: string;
}

/** One settled delivery. */
export interface AttemptView {
  readonly state: string;
  readonly outcome: string;
  readonly attempts: number;
  readonly node: string;
  readonly at: number;
  readonly startedAt?: number;
  readonly durationMs?: number;
  /** For a slot, from when it could have started. */
  readonly waitedMs?: number;
  readonly notBefore?: number;
  readonly error?: ErrorView;
  /** Of the error, as causes have it. */
  readonly fingerprint?: string;
  readonly reason?: string;
  readonly output?: unknown;
}

export interface JobView {
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  readonly state: string;
  readonly attempts: number;
  readonly createdAt?: number;
  /** Of one that runs at a node that answers. */
  readonly running?: {
    readonly node: string;
    readonly attempt: number;
    readonly startedAt: number;
  };
  /** The trace of its last attempt, or of the program that enqueued it. */
  readonly traceId?: string;
  readonly parent?: RefView;
  /** Whether it is one of several: of a chain, of a batch, or enqueued by one another. */
  readonly hasFamily: boolean;
  readonly children: { readonly count: number; readonly jobs: readonly RefView[] };
  readonly history: readonly AttemptView[];
  readonly result?: unknown;
  readonly error?: ErrorView;
  readonly progress?: { readonly value: number; readonly note?: string; readonly at: number };
  readonly letter?: LetterView;
  /** Of a job that waits or runs. */
  readonly cargo?: CargoView;
  /** Of a job with steps, as long as they are on record. */
  readonly steps?: readonly StepView[];
  /** How many there were, also when they are not. */
  readonly stepCount?: number;
}

export interface CargoView {
  readonly payload: unknown;
  readonly headers: unknown;
  readonly tags?: readonly string[];
}

export interface LetterView {
  readonly id: string;
  readonly queue: string;
  readonly name?: string;
  readonly reason: string;
  readonly attempts: number;
  readonly at: number;
  readonly node: string;
  readonly error?: ErrorView;
  /** Of the error, as causes have it. */
  readonly fingerprint?: string;
  /** The first attempt's error, where it is another one. */
  readonly firstError?: ErrorView;
  readonly headers: unknown;
  readonly bytes: number;
  readonly payload?: unknown;
  readonly unreadable?: string;
}

export interface ScheduleView {
  readonly name: string;
  readonly cron: string;
  readonly timezone: string;
  readonly job: string;
  readonly queue: string;
  readonly origin: string;
  readonly jitterMs: number;
  readonly lateAfterMs: number;
  /** The node with it in its code that was started last. */
  readonly seen?: { readonly node: string; readonly at: number };
  readonly missed: string;
  readonly overlap: string;
  readonly pausedAt?: number;
  readonly next: readonly number[];
  readonly fired: number;
  readonly skipped: number;
  readonly late: number;
  readonly trouble?: string;
  readonly recent: readonly ScheduleEventView[];
}

export interface ScheduleEventView {
  readonly what: string;
  readonly at: number;
  readonly id?: string;
  /** Of a tick that was fired later than `lateAfterMs`. */
  readonly lateMs?: number;
  readonly reason?: string;
  readonly count?: number;
}

export interface AuditView {
  readonly id: string;
  readonly at: number;
  readonly by: string;
  readonly action: string;
  readonly which: string;
  readonly outcome: string;
  readonly reason?: string;
}

/** A change of many things. What is not known of a kind is shown as it is. */
export interface OperationView {
  readonly id: string;
  readonly kind: string;
  readonly filter: Readonly<Record<string, string | number | boolean | readonly string[]>>;
  readonly by: string;
  readonly reason?: string;
  readonly at: number;
  readonly total: number;
  /** So many nodes did not answer when it was looked for these, where any did not. */
  readonly unanswered?: number;
  readonly done: number;
  readonly gone: number;
  readonly failed: number;
  readonly failures: readonly {
    readonly id: string;
    readonly queue: string;
    readonly code: string;
    readonly message: string;
  }[];
  readonly progress:
    | { readonly state: "running" }
    | { readonly state: "stopping"; readonly by: string; readonly at: number }
    | { readonly state: "done"; readonly at: number }
    | { readonly state: "stopped"; readonly by: string; readonly at: number }
    | { readonly state: "failed"; readonly at: number; readonly code: string };
}

export interface DoctorView {
  /** What fails first, then what is warned of. */
  readonly findings: readonly DashboardFinding[];
}

export interface CountView {
  readonly count: number;
  /** Whether there are more, which were not counted. */
  readonly more?: boolean;
  /** So many nodes did not answer, where any did not. */
  readonly unanswered?: number;
}

/**
 * How the payload of a dead job is edited. As the `text` that is shown, where JSON holds all of it;
 * by a `merge`, where it has fields that stay as they are; by another one in its place (`replace`),
 * where no part of it could stay.
 */
export type EditedBy = "text" | "merge" | "replace";

/** What is masked elsewhere, as it is stored; what there is none of is left out. */
export interface RevealedView {
  readonly payload?: unknown;
  /** Of a dead job. */
  readonly editedBy?: EditedBy;
  readonly headers?: unknown;
  readonly result?: unknown;
  readonly context?: unknown;
  readonly output?: unknown;
}

/** What a change did. */
export interface ChangeView {
  readonly count: number;
  readonly failed: readonly { readonly id: string; readonly message: string }[];
  /** Of a job that was enqueued by it. */
  readonly job?: RefView;
  /** Id of an operation that was begun by it: `count` things are meant. */
  readonly operation?: string;
}

export interface FailureView {
  readonly error: { readonly code: string; readonly message: string };
}

/** What the live feed says: something moved, or the connection to the server came or went. */
export interface LiveView {
  readonly queues: readonly string[];
  readonly jobs: readonly RefView[];
  readonly connected: boolean;
}
