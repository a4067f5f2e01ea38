/** What a metric is, how it is labelled, and what it counts or measures. */
export interface MetricDescription {
  readonly kind: "counter" | "histogram" | "gauge";
  /** UCUM: `s` for seconds, `{job}` for what is counted. */
  readonly unit: string;
  /** All of them are always set. */
  readonly labels: readonly MetricLabel[];
  readonly about: string;
}

/**
 * Everything a metric may be labelled with. Each has few values: what a producer can choose freely
 * (a job's id, a key, an unknown job's name) is never one.
 */
export type MetricLabel =
  | "queue"
  | "job_name"
  | "outcome"
  | "reason"
  | "schedule"
  | "kind"
  | "role"
  | "handler"
  | "machine"
  | "state";
