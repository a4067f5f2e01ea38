import type { HistogramName } from "@millrace/core";

/**
 * Seconds. OpenTelemetry's own buckets end at 10 s, where many jobs only begin; a job may run for a
 * day.
 */
const LONG = [
  0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400,
];
/** What the conventions advise, because a confirmation takes no minutes. */
const SHORT = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
];

export const BUCKETS: Readonly<Record<HistogramName, readonly number[]>> = {
  millrace_job_duration_seconds: LONG,
  millrace_job_schedule_to_start_seconds: LONG,
  millrace_publish_duration_seconds: SHORT,
  millrace_schedule_lag_seconds: LONG,
  millrace_lock_wait_seconds: LONG,
};
