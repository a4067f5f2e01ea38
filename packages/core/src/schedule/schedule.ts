import type { AnyJobDefinition, JobDefinition } from "../job/define-job.ts";
import type { Duration } from "../time/duration.ts";
import type { TickRule } from "./ticks.ts";

/**
 * What becomes of ticks that fell due while nobody enqueued them: left out, the latest of them, or
 * the latest `all`.
 */
export type MissedPolicy = "skip" | "once" | { readonly all: number };

/**
 * What a tick does while the schedule's previous job has not ended. `allow`: runs beside it.
 * `skip`: is left out. `queue`: waits for its end; while one waits, later ticks are left out.
 * `cancel`: the previous job is cancelled.
 */
export type OverlapPolicy = "allow" | "skip" | "queue" | "cancel";

export const OVERLAP_POLICIES = [
  "allow",
  "skip",
  "queue",
  "cancel",
] as const satisfies readonly OverlapPolicy[];

/** When a schedule is due and how it behaves. */
export interface ScheduleTiming {
  /** Unique in the namespace: up to 64 of A-Z a-z 0-9 _ : -. */
  readonly name: string;
  /** 5 fields (minute hour day month weekday) or 6 (second first). */
  readonly cron: string;
  /** An IANA name. Default: UTC. */
  readonly timezone?: string;
  /** Delays each tick by up to this much, the same on every node. Default: none. */
  readonly jitter?: Duration;
  /** Default: `"once"`. */
  readonly missed?: MissedPolicy;
  /** Default: `"allow"`. */
  readonly overlap?: OverlapPolicy;
  /**
   * A tick that is enqueued later than this is late, and what was due longer ago was missed.
   * Default: 5 s.
   */
  readonly lateAfter?: Duration;
}

/** A schedule as users describe it. */
export type ScheduleOptions<Input, Parsed, Output> = ScheduleTiming & {
  readonly job: JobDefinition<Input, Parsed, Output>;
} & (undefined extends Input
    ? { /** The payload: plain JSON. */ readonly input?: NoInfer<Input> }
    : { /** The payload: plain JSON. */ readonly input: NoInfer<Input> });

/** What all nodes have to know about a schedule: plain data, the same whoever wrote it. */
export interface ScheduleDefinition extends TickRule {
  readonly name: string;
  /** The handler key. */
  readonly job: string;
  readonly queue: string;
  readonly payload: unknown;
  readonly jitterMs: number;
  readonly missed: MissedPolicy;
  readonly overlap: OverlapPolicy;
  readonly lateAfterMs: number;
}

/** A validated, frozen schedule of the code. */
export interface Schedule {
  readonly kind: "schedule";
  readonly name: string;
  readonly definition: ScheduleDefinition;
  readonly job: AnyJobDefinition;
}

/** Tells a schedule from anything else a job file may export. */
export function isSchedule(value: unknown): value is Schedule {
  return (
    typeof value === "object" && value !== null && "kind" in value && value.kind === "schedule"
  );
}
