import type { GaugeName, MetricsCollector, QueueSnapshot } from "@millrace/core";

const GAUGES = {
  millrace_queue_depth: ({ queued }) => queued,
  millrace_queue_inflight: ({ running }) => running,
  millrace_queue_delayed: ({ delayed }) => delayed,
  millrace_queue_blocked: ({ blocked }) => blocked,
  millrace_queue_dead_letters: ({ dead }) => dead,
  millrace_queue_max_jobs: ({ maxJobs }) => maxJobs,
  millrace_queue_oldest_job_age_seconds: ({ oldestAgeMs }) => oldestAgeMs / 1_000,
} as const satisfies Partial<Record<GaugeName, (snapshot: QueueSnapshot) => number | undefined>>;
const GAUGE_NAMES = Object.keys(GAUGES) as (keyof typeof GAUGES)[];

/** How full the queues are, as whoever reads them tells it. */
export class QueueGauges {
  readonly #metrics: MetricsCollector;
  /** The queues whose gauges are set. */
  #told = new Set<string>();

  constructor(metrics: MetricsCollector) {
    this.#metrics = metrics;
  }

  tell(snapshots: readonly QueueSnapshot[]): void {
    const gone = this.#told;
    this.#told = new Set(snapshots.map(({ queue }) => queue));
    for (const snapshot of snapshots)
      for (const name of GAUGE_NAMES)
        this.#metrics.gauge(name, { queue: snapshot.queue }, GAUGES[name](snapshot));
    for (const queue of gone) if (!this.#told.has(queue)) this.#forget(queue);
  }

  /** No value is better than an old one. */
  forget(): void {
    for (const queue of this.#told) this.#forget(queue);
    this.#told = new Set();
  }

  #forget(queue: string): void {
    for (const name of GAUGE_NAMES) this.#metrics.gauge(name, { queue }, undefined);
  }
}
