/** Labels of low cardinality. Never a job id. */
export type MetricLabels = Readonly<Record<string, string>>;

/** Where counts and durations go. Calls come from hot paths: they must be cheap and must not throw. */
export interface MetricsCollector {
  /** Adds to a counter. */
  increment(name: CounterName, labels: MetricLabels, by?: number): void;
  /** Adds an observation, in seconds, to a histogram. */
  observe(name: HistogramName, labels: MetricLabels, seconds: number): void;
  /** Sets a gauge. */
  gauge(name: GaugeName, labels: MetricLabels, value: number): void;
}

export type CounterName =
  | "jobs_succeeded_total"
  | "jobs_failed_total"
  | "jobs_requeued_total"
  | "jobs_held_total"
  | "jobs_dead_total"
  | "jobs_cancelled_total"
  | "redeliveries_total"
  | "leases_lost_total"
  | "schedule_ticks_total"
  | "schedule_ticks_late_total"
  | "execution_records_dropped_total";
export type HistogramName = "job_duration_seconds" | "job_schedule_to_start_seconds";
export type GaugeName = "slots_total" | "node_ready" | "scheduler_leader";

export const noMetrics: MetricsCollector = {
  increment: () => {},
  observe: () => {},
  gauge: () => {},
};
