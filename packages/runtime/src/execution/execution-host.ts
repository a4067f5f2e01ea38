import type {
  Broker,
  Clock,
  Delivery,
  Envelope,
  EventBus,
  ExecutionLog,
  Instrumentation,
  Logger,
  MetricsCollector,
  Outcome,
  Producer,
  QueueMessage,
} from "@millrace/core";
import type { Cancellations } from "../control/cancellations.ts";
import type { ParkedJobs } from "../limits/parked-jobs.ts";
import type { MemoryBudget } from "../worker/memory-budget.ts";
import type { Registry } from "../registry/registry.ts";
import type { JobLogs } from "../job-log/job-logs.ts";
import type { Limit } from "../limits/limit.ts";
import type { FailureLog } from "./attempt/failure-log.ts";
import type { RecentEnds } from "./recall/recent-ends.ts";
import type { SettlementHook } from "./settle/settlement-hook.ts";
import type { SettlementWatch } from "./settle/settlement-watch.ts";
import type { ThreadContext } from "../thread/thread-context.ts";
import type { Quarantine } from "./recall/quarantine.ts";
import type { BegunRuns } from "./recall/begun-runs.ts";

/** What all executions of a node share. */
export interface ExecutionHost {
  readonly node: string;
  readonly broker: Broker;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly events: EventBus;
  readonly metrics: MetricsCollector;
  readonly executionLog: ExecutionLog;
  readonly instrumentation: Instrumentation | undefined;
  readonly log: Logger;
  readonly maskText: ((text: string) => string) | undefined;
  /** Where the lines of handlers are kept. */
  readonly jobLogs: JobLogs | undefined;
  readonly poisonAfter: number;
  /** What the jobs in this node's hands may take. */
  readonly memory: MemoryBudget;
  readonly parked: ParkedJobs;
  readonly settlements: SettlementWatch;
  readonly failures: FailureLog;
  readonly quarantine: Quarantine;
  readonly begunRuns: BegunRuns;
  readonly recentEnds: RecentEnds;
  /** Whether this node has the same message in hand by an earlier delivery. */
  readonly hasInHand: (delivery: Delivery) => boolean;
  readonly cancellations: Cancellations;
  /** Queues that the jobs of a queue's producers may be followed by jobs in. */
  readonly sendsTo: (queue: string) => readonly string[];
  /** In the order in which a job passes them. */
  readonly limits: readonly Limit[];
  readonly hooks: readonly SettlementHook[];
  /** For what handlers enqueue. */
  readonly producer: Producer;
  /** Set on a node that runs nothing: the outcome under which each job is settled. */
  readonly settleUnrun?: ((envelope: Envelope, message: QueueMessage) => Outcome) | undefined;
  /** In [0, 1). */
  readonly random: () => number;
  /** Calls the job's handler through the node's middleware, on this thread or on one of its own. */
  readonly call: (context: ThreadContext) => unknown;
}
