import { type LeftOut, MillraceError, recordError, type ScheduledJob } from "@millrace/core";
import type { SchedulerHost } from "./scheduler-host.ts";

export function reportFired(
  { events, metrics, log }: SchedulerHost,
  schedule: string,
  { id, queue, tick }: ScheduledJob,
  { lateMs, late }: { readonly lateMs: number; readonly late: boolean },
): void {
  metrics.increment("millrace_schedule_ticks_total", { schedule, outcome: "fired" });
  metrics.observe("millrace_schedule_lag_seconds", { schedule }, lateMs / 1_000);
  events.emit("schedule.fired", { schedule, tick, id, queue, lateMs });
  if (!late) return;
  metrics.increment("millrace_schedule_ticks_late_total", { schedule });
  events.emit("schedule.late", { schedule, tick, lateMs });
  log.warn({ schedule, tick: new Date(tick).toISOString(), lateMs }, "a schedule was late");
}

export function reportSkipped(
  { events, metrics, log }: SchedulerHost,
  schedule: string,
  { upTo, count, reason }: LeftOut,
  at: number,
): void {
  metrics.increment("millrace_schedule_ticks_total", { schedule, outcome: "skipped" }, count);
  if (reason === "missed") metrics.increment("millrace_schedule_missed_total", { schedule }, count);
  events.emit("schedule.skipped", { schedule, at, upTo, count, reason });
  log.info(
    { schedule, upTo: new Date(upTo).toISOString(), count, reason },
    "ticks of a schedule were left out",
  );
}

export function reportFailed(
  { events, log }: SchedulerHost,
  schedule: string,
  error: unknown,
): void {
  // Not leading any more is no failure: whoever leads next goes on.
  if (MillraceError.is(error, "lock-lost")) return;
  const recorded = recordError(error);
  events.emit("schedule.failed", { schedule, error: recorded });
  log.warn({ schedule, error: recorded }, "a schedule could not be dealt with; trying again");
}
