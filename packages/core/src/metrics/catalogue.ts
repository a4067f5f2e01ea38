import type { MetricDescription } from "./metric-description.ts";

const byJob = ["queue", "job_name"] as const;
const byQueue = ["queue"] as const;
const byMachine = ["machine"] as const;

/**
 * Every metric, once: collectors make their instruments of it, and `docs/metrics.md` is checked
 * against it. Names are Prometheus names and carry their unit.
 */
export const METRICS = {
  millrace_jobs_enqueued_total: {
    kind: "counter",
    unit: "{job}",
    labels: byJob,
    about: "Jobs that were stored for a client, a handler or a schedule; duplicates are none",
  },
  millrace_jobs_succeeded_total: {
    kind: "counter",
    unit: "{job}",
    labels: byJob,
    about: "Jobs that ended with a result",
  },
  millrace_jobs_failed_total: {
    kind: "counter",
    unit: "{attempt}",
    labels: byJob,
    about: "Attempts that failed or timed out",
  },
  millrace_jobs_requeued_total: {
    kind: "counter",
    unit: "{delivery}",
    labels: byJob,
    about: "Deliveries that ended with the job going back to its queue",
  },
  millrace_jobs_blocked_total: {
    kind: "counter",
    unit: "{delivery}",
    labels: byJob,
    about: "Deliveries that ended with the job waiting at a gate, for a permit, a lock or a rate",
  },
  millrace_jobs_dead_total: {
    kind: "counter",
    unit: "{job}",
    labels: ["queue", "job_name", "reason"],
    about: "Jobs that became a dead letter, by reason",
  },
  millrace_jobs_cancelled_total: {
    kind: "counter",
    unit: "{job}",
    labels: byJob,
    about: "Jobs that were cancelled",
  },
  millrace_deliveries_total: {
    kind: "counter",
    unit: "{delivery}",
    labels: byQueue,
    about: "Deliveries that this node has settled, whatever became of the job",
  },
  millrace_redeliveries_total: {
    kind: "counter",
    unit: "{delivery}",
    labels: byQueue,
    about: "Messages that came again because an earlier holder left them unacknowledged",
  },
  millrace_leases_lost_total: {
    kind: "counter",
    unit: "{attempt}",
    labels: byQueue,
    about: "Attempts whose lease could not be confirmed in time",
  },
  millrace_settlements_abandoned_total: {
    kind: "counter",
    unit: "{job}",
    labels: byQueue,
    about: "Jobs that were abandoned because their settlement could not be carried out",
  },
  millrace_steps_recorded_total: {
    kind: "counter",
    unit: "{step}",
    labels: byJob,
    about: "Steps of jobs that were recorded; a wait or a call when it began",
  },
  millrace_steps_replayed_total: {
    kind: "counter",
    unit: "{step}",
    labels: byJob,
    about: "Steps that were on record when their handler asked for them",
  },
  millrace_step_waits_begun_total: {
    kind: "counter",
    unit: "{wait}",
    labels: byJob,
    about: "Waits for a signal or for the end of a called job that began",
  },
  millrace_step_waits_ended_total: {
    kind: "counter",
    unit: "{wait}",
    labels: ["queue", "job_name", "outcome"],
    about: "Such waits that ended in a running handler: signalled, called or timed-out",
  },
  millrace_machine_events_total: {
    kind: "counter",
    unit: "{event}",
    labels: ["machine", "kind", "outcome"],
    about:
      "Events and promise results for machines, by kind and outcome: taken, repeated, failed or dropped",
  },
  millrace_machine_timers_fired_total: {
    kind: "counter",
    unit: "{timer}",
    labels: byMachine,
    about: "Timers of machines that were due and whose event was taken or failed",
  },
  millrace_machine_jobs_invoked_total: {
    kind: "counter",
    unit: "{job}",
    labels: byMachine,
    about: "Jobs that machines have invoked",
  },
  millrace_machine_conflicts_total: {
    kind: "counter",
    unit: "{conflict}",
    labels: byMachine,
    about: "Writes of a machine that another host was ahead of; they are made again",
  },
  millrace_schedule_ticks_total: {
    kind: "counter",
    unit: "{tick}",
    labels: ["schedule", "outcome"],
    about: "Ticks of schedules that were decided, by outcome: fired or skipped",
  },
  millrace_schedule_ticks_late_total: {
    kind: "counter",
    unit: "{tick}",
    labels: ["schedule"],
    about: "Ticks whose job was enqueued later than the schedule allows",
  },
  millrace_schedule_missed_total: {
    kind: "counter",
    unit: "{tick}",
    labels: ["schedule"],
    about: "Ticks that passed while nobody led and that the schedule does not make up for",
  },
  millrace_queue_readings_failed_total: {
    kind: "counter",
    unit: "{reading}",
    labels: [],
    about: "Readings of all queues that failed, on the node that reads them",
  },
  millrace_execution_records_dropped_total: {
    kind: "counter",
    unit: "{record}",
    labels: ["handler"],
    about: "Execution records that their handler could not take in time, or refused",
  },
  millrace_outbox_kept_out_total: {
    kind: "counter",
    unit: "{job}",
    labels: byQueue,
    about:
      "Rows of an outbox whose job was there before, or whose batch was over: none is enqueued",
  },
  millrace_outbox_published_total: {
    kind: "counter",
    unit: "{job}",
    labels: byQueue,
    about: "Rows of an outbox that this relay has brought to their queue",
  },
  millrace_loop_stalled_seconds_total: {
    kind: "counter",
    unit: "s",
    labels: [],
    about: "How long this node's event loop was stalled, counting stalls of 5 s and more",
  },
  millrace_job_duration_seconds: {
    kind: "histogram",
    unit: "s",
    labels: ["queue", "job_name", "outcome"],
    about: "How long attempts ran",
  },
  millrace_job_schedule_to_start_seconds: {
    kind: "histogram",
    unit: "s",
    labels: byJob,
    about: "From when a job could start to when it did, first attempts only",
  },
  millrace_publish_duration_seconds: {
    kind: "histogram",
    unit: "s",
    labels: ["queue", "outcome"],
    about: "From handing jobs of one call to the broker to its last confirmation",
  },
  millrace_schedule_lag_seconds: {
    kind: "histogram",
    unit: "s",
    labels: ["schedule"],
    about: "From a tick to its job being enqueued",
  },
  millrace_lock_wait_seconds: {
    kind: "histogram",
    unit: "s",
    labels: ["kind", "outcome"],
    about: "How long a lock was waited for",
  },
  millrace_slots: {
    kind: "gauge",
    unit: "{slot}",
    labels: byQueue,
    about: "Slots of the queue on this node",
  },
  millrace_slots_used: {
    kind: "gauge",
    unit: "{slot}",
    labels: byQueue,
    about: "Jobs in this node's hands",
  },
  millrace_settlements_stuck: {
    kind: "gauge",
    unit: "{job}",
    labels: byQueue,
    about: "Jobs whose settlement could not be carried out for a lease, on this node",
  },
  millrace_node_ready: {
    kind: "gauge",
    unit: "1",
    labels: [],
    about:
      "1 while the node is ready, as `/readyz` answers, else 0: also in an outage of NATS, and where one of its queues is not bound or has jobs that can't be settled",
  },
  millrace_leader: {
    kind: "gauge",
    unit: "1",
    labels: ["role"],
    about: "1 while the node has this duty for the whole namespace, else 0",
  },
  millrace_nats_rtt_seconds: {
    kind: "gauge",
    unit: "s",
    labels: [],
    about: "The last round trip to the server; absent while there is none",
  },
  millrace_clock_ahead_seconds: {
    kind: "gauge",
    unit: "s",
    labels: [],
    about: "How far this machine's clock is before the server's; negative: behind",
  },
  millrace_queue_depth: {
    kind: "gauge",
    unit: "{job}",
    labels: byQueue,
    about: "Jobs that wait in the queue and could start",
  },
  millrace_queue_inflight: {
    kind: "gauge",
    unit: "{job}",
    labels: byQueue,
    about: "Jobs of the queue that nodes have in their hands",
  },
  millrace_queue_delayed: {
    kind: "gauge",
    unit: "{job}",
    labels: byQueue,
    about: "Jobs of the queue that wait for their time",
  },
  millrace_queue_blocked: {
    kind: "gauge",
    unit: "{job}",
    labels: byQueue,
    about: "Jobs of the queue that wait at a gate, for a permit, a lock or a rate",
  },
  millrace_queue_dead_letters: {
    kind: "gauge",
    unit: "{job}",
    labels: byQueue,
    about: "Dead letters of the queue that are kept",
  },
  millrace_queue_max_jobs: {
    kind: "gauge",
    unit: "{job}",
    labels: byQueue,
    about: "How many jobs the queue takes until producers are refused; absent without a limit",
  },
  millrace_queue_oldest_job_age_seconds: {
    kind: "gauge",
    unit: "s",
    labels: byQueue,
    about: "Age of the oldest job in the queue, whether it waits or runs; 0 where there is none",
  },
  millrace_queue_nodes: {
    kind: "gauge",
    unit: "{node}",
    labels: byQueue,
    about: "Nodes that take jobs of the queue, told by the dashboard",
  },
  millrace_fleet_nodes: {
    kind: "gauge",
    unit: "{node}",
    labels: ["state"],
    about: "Nodes of the namespace by what they do, told by the dashboard",
  },
  millrace_machine_waiting: {
    kind: "gauge",
    unit: "{message}",
    labels: ["machine"],
    about: "Events, ends of jobs and due timers of machines that no host has taken yet",
  },
  millrace_machine_oldest_age_seconds: {
    kind: "gauge",
    unit: "s",
    labels: ["machine"],
    about: "Age of the oldest of them; 0 where nothing waits",
  },
  millrace_outbox_waiting: {
    kind: "gauge",
    unit: "{job}",
    labels: byQueue,
    about: "Rows of the outbox that are to be published, told by each of its relays",
  },
  millrace_outbox_set_aside: {
    kind: "gauge",
    unit: "{job}",
    labels: byQueue,
    about: "Rows of the outbox that can never be published, told by each of its relays",
  },
  millrace_outbox_oldest_age_seconds: {
    kind: "gauge",
    unit: "s",
    labels: byQueue,
    about: "Age of the oldest row of the outbox that is to be published; 0 where there is none",
  },
} as const satisfies Readonly<Record<string, MetricDescription>>;

type Catalogue = typeof METRICS;
type NameOf<Kind extends MetricDescription["kind"]> = {
  [Name in keyof Catalogue]: Catalogue[Name]["kind"] extends Kind ? Name : never;
}[keyof Catalogue];

export type MetricName = keyof Catalogue;
export type CounterName = NameOf<"counter">;
export type HistogramName = NameOf<"histogram">;
export type GaugeName = NameOf<"gauge">;

/** The labels of a metric: those of the catalogue, and the namespace that it is of. */
export type LabelsOf<Name extends MetricName> = Readonly<
  Record<Catalogue[Name]["labels"][number], string> & { millrace_namespace?: string }
>;
