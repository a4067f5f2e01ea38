import type { CounterName, GaugeName, HistogramName } from "@millrace/core";

/** The help line of each metric on the Prometheus page. */
export const DESCRIPTIONS: Readonly<Record<CounterName | GaugeName | HistogramName, string>> = {
  jobs_succeeded_total: "Jobs that ended with a result",
  jobs_failed_total: "Attempts that failed or timed out",
  jobs_requeued_total: "Deliveries that ended with the job going back to its queue",
  jobs_held_total:
    "Deliveries that ended with the job waiting at a gate, for a permit, a lock or a rate",
  jobs_dead_total: "Jobs that became a dead letter, by reason",
  jobs_cancelled_total: "Jobs that were cancelled",
  redeliveries_total: "Messages that came again because an earlier holder left them unacknowledged",
  leases_lost_total: "Attempts whose lease could not be confirmed in time",
  schedule_ticks_total: "Slots of schedules that were decided, by outcome: fired or skipped",
  schedule_ticks_late_total: "Slots whose job was enqueued later than the schedule allows",
  execution_records_dropped_total: "Execution records that a handler could not take, by handler",
  job_duration_seconds: "How long attempts ran",
  job_schedule_to_start_seconds: "From when a job could start to when it did",
  slots_total: "Slots of the queue on this node",
  scheduler_leader: "1 while the node leads the schedules of its namespace, else 0",
  node_ready: "1 while the node takes jobs, else 0",
};
