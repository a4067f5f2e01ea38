import type { Broker, DisciplinedClock, MetricsCollector, Stoppable } from "@millrace/core";
import type { QueueReadings } from "./queue-readings.ts";
import { patientFor } from "./scrape-patience.ts";

export interface NodeReadingsHost {
  readonly broker: Pick<Broker, "ping" | "status">;
  readonly clock: DisciplinedClock;
  readonly metrics: MetricsCollector;
  readonly workers: readonly { readonly queue: string; readonly used: number }[];
  /** Left out: this node has no part in telling how full the queues are. */
  readonly queues?: QueueReadings | undefined;
}

/**
 * What is only looked at when somebody collects: slots in use, the round trip, the clock, the
 * queues. Nothing of it costs a job anything, and a collector that nobody reads from is told
 * nothing.
 */
export function nodeReadings({
  broker,
  clock,
  metrics,
  workers,
  queues,
}: NodeReadingsHost): Stoppable {
  const labels = workers.map((worker) => ({ worker, labels: { queue: worker.queue } }));

  const measureRoundTrip = async (): Promise<void> => {
    if (broker.status !== "connected")
      return metrics.gauge("millrace_nats_rtt_seconds", {}, undefined);
    // Timed here: the clients' own measure is in whole milliseconds, and a near server answers in
    // less.
    const askedAt = clock.monotonic();
    try {
      await broker.ping();
      metrics.gauge("millrace_nats_rtt_seconds", {}, (clock.monotonic() - askedAt) / 1_000);
    } catch {
      // Unanswered: that there is no round trip is what its absence says.
      metrics.gauge("millrace_nats_rtt_seconds", {}, undefined);
    }
  };

  const stopListening = metrics.onCollect?.(async () => {
    await patientFor(Promise.all([measureRoundTrip(), queues?.collect()]), clock);
    for (const { worker, labels: of } of labels)
      metrics.gauge("millrace_slots_used", of, worker.used);
    const aheadSeconds = clock.isKnown ? clock.aheadMs / 1_000 : undefined;
    metrics.gauge("millrace_clock_ahead_seconds", {}, aheadSeconds);
  });
  return {
    stop: async () => {
      stopListening?.();
      for (const { labels: of } of labels) metrics.gauge("millrace_slots_used", of, undefined);
      metrics.gauge("millrace_nats_rtt_seconds", {}, undefined);
      metrics.gauge("millrace_clock_ahead_seconds", {}, undefined);
      await queues?.stop();
    },
  };
}
