import type { Broker } from "../broker/broker.ts";
import type { EnqueueResult } from "../broker/enqueue-call.ts";
import type { Envelope } from "../envelope/envelope.ts";
import type { Clock } from "../time/clock.ts";
import { type MetricsCollector, noMetrics } from "./metrics-collector.ts";
import { withOwn } from "../broker/with-own.ts";

/**
 * A broker that counts what is enqueued through it, and times it; everything else goes straight to
 * the one behind it. The broker itself where there is no collector.
 */
export function countingBroker(broker: Broker, metrics: MetricsCollector, clock: Clock): Broker {
  if (metrics === noMetrics) return broker;
  const tell = (
    jobs: readonly Envelope[],
    results: readonly EnqueueResult[],
    startedAt: number,
  ): void => {
    try {
      count(metrics, jobs, results, (clock.monotonic() - startedAt) / 1_000);
    } catch {
      // The jobs are stored: a collector that throws although it must not can't make them look as
      // if they weren't.
    }
  };
  const enqueue: Broker["enqueue"] = async (jobs, options) => {
    const startedAt = clock.monotonic();
    const results = await broker.enqueue(jobs, options);
    tell(jobs, results, startedAt);
    return results;
  };
  /** A job without a generation is a new one: the callback of a batch. */
  const requeue: Broker["requeue"] = async (envelope, options) => {
    const startedAt = clock.monotonic();
    const published = await broker.requeue(envelope, options);
    if (envelope.generation > 0) return published;
    const { id, queue } = envelope;
    const stored = { ok: true, id, queue, sequence: 0, duplicate: false } as const;
    tell([envelope], [stored], startedAt);
    return published;
  };
  return withOwn(broker, { enqueue, requeue });
}

/** Jobs of one name that follow each other, as all of a bulk enqueue do, are counted at once. */
function count(
  metrics: MetricsCollector,
  jobs: readonly Envelope[],
  results: readonly EnqueueResult[],
  seconds: number,
): void {
  const queues = new Map<string, string>();
  let run: { readonly queue: string; readonly job: string; jobs: number } | undefined;
  const tell = (): void => {
    if (run === undefined || run.jobs === 0) return;
    metrics.increment(
      "millrace_jobs_enqueued_total",
      { queue: run.queue, job_name: run.job },
      run.jobs,
    );
  };
  for (const [place, { queue, name: job }] of jobs.entries()) {
    const result = results[place];
    const outcome = result === undefined || result.ok ? "stored" : result.error.code;
    if (outcome !== "stored" || !queues.has(queue)) queues.set(queue, outcome);
    if (run?.queue !== queue || run.job !== job) {
      tell();
      run = { queue, job, jobs: 0 };
    }
    if (result?.ok === true && !result.duplicate) run.jobs += 1;
  }
  tell();
  for (const [queue, outcome] of queues)
    metrics.observe("millrace_publish_duration_seconds", { queue, outcome }, seconds);
}
