import type { RecordedError } from "../errors/recorded-error.ts";
import type { FinalState } from "../machine/execution-machine.ts";
import type { SkipReason } from "../schedule/schedule-state.ts";
import type { Outcome } from "../settlement/outcome.ts";
import type { DeadReason } from "../settlement/dead-reason.ts";

/** What is said about one job. */
interface JobEvent {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  /** The attempt it is about, 1 for the first. */
  readonly attempt: number;
}

/** Every event the runtime emits, with its fields. Times are epoch milliseconds. */
export interface Events {
  /** A handler is about to be called. */
  "job.started": JobEvent & { readonly waitedMs: number };
  /** A delivery was settled, confirmed by the broker. */
  "job.settled": JobEvent & {
    readonly state: FinalState;
    readonly outcome: Outcome["kind"];
    readonly durationMs?: number;
    readonly notBefore?: number;
    readonly reason?: DeadReason;
    readonly error?: RecordedError;
  };
  /** A message was delivered again: an earlier holder left it without an outcome. */
  "job.redelivered": JobEvent & { readonly deliveryCount: number };
  /** The lease could not be confirmed in time; the handler was told and nothing was settled. */
  "lease.lost": JobEvent;
  /** Settling failed for now and is tried again. */
  "settlement.failed": JobEvent & { readonly error: RecordedError };
  /** A handler went on past its abort and its grace. */
  "handler.ignored-abort": JobEvent;
  /** The job of a tick was enqueued. `id`: the job's. */
  "schedule.fired": {
    readonly schedule: string;
    readonly tick: number;
    readonly id: string;
    readonly queue: string;
    /** From the tick to the enqueue. */
    readonly lateMs: number;
  };
  /** The job of a tick was enqueued later than the schedule's `lateAfter`. */
  "schedule.late": { readonly schedule: string; readonly tick: number; readonly lateMs: number };
  /** Ticks were left out. `at`: when that was decided. `upTo`: the latest of them. */
  "schedule.skipped": {
    readonly schedule: string;
    readonly at: number;
    readonly upTo: number;
    readonly count: number;
    readonly reason: SkipReason;
  };
  /** A schedule could not be dealt with for now and is tried again. */
  "schedule.failed": { readonly schedule: string; readonly error: RecordedError };
  /** This node began or ceased to lead the schedules of the namespace. */
  "scheduler.leader": { readonly node: string; readonly leading: boolean; readonly token: number };
  "node.state": { readonly node: string; readonly state: string };
  "worker.state": { readonly queue: string; readonly state: string };
  "broker.status": { readonly status: "connected" | "disconnected" };
}

export type EventName = keyof Events;
