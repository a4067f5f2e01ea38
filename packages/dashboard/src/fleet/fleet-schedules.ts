import type {
  Duration,
  HistoryRecord,
  MissedPolicy,
  OverlapPolicy,
  ScheduleDecision,
  ScheduleState,
  StoredSchedule,
} from "@millrace/core";

export interface FleetSchedule extends StoredSchedule {
  readonly next: number | undefined;
  readonly state: ScheduleState;
  readonly seen: { readonly node: string; readonly at: number } | undefined;
}

/** What is left out stays. */
export interface FleetScheduleChange {
  readonly cron?: string;
  readonly timezone?: string;
  readonly jitter?: Duration;
  readonly missed?: MissedPolicy;
  readonly overlap?: OverlapPolicy;
  readonly lateAfter?: Duration;
  readonly payload?: unknown;
}

/** A schedule that is added. What is left out is as by default. */
export interface FleetNewSchedule extends Omit<FleetScheduleChange, "cron"> {
  readonly name: string;
  readonly cron: string;
  readonly job: string;
  readonly queue: string;
}

export interface FleetSchedules {
  add(schedule: FleetNewSchedule): Promise<void>;
  remove(name: string): Promise<void>;
  change(name: string, change: FleetScheduleChange): Promise<void>;
  list(): Promise<readonly FleetSchedule[]>;
  next(name: string, count: number): Promise<readonly number[]>;
  history(
    name: string,
    limit: number,
  ): Promise<readonly (ScheduleDecision & { readonly latest?: HistoryRecord })[]>;
  pause(name: string): Promise<void>;
  resume(name: string): Promise<void>;
  run(name: string): Promise<{ readonly id: string; readonly queue: string }>;
}
