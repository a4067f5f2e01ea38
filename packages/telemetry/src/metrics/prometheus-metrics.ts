import type { Counter, Gauge, Histogram } from "@opentelemetry/api";
import type { CounterName, GaugeName, HistogramName, MetricsCollector } from "@millrace/core";
import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { DESCRIPTIONS } from "./descriptions.ts";

export interface PrometheusMetrics extends MetricsCollector {
  /** The text of a `/metrics` page, format 0.0.4. */
  page(): Promise<string>;
  close(): Promise<void>;
}

/** Seconds. OpenTelemetry's own buckets end at 10 s; jobs may run for an hour. */
const BUCKETS: Readonly<Record<HistogramName, number[]>> = {
  job_duration_seconds: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3_600],
  job_schedule_to_start_seconds: [
    0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 3_600, 86_400,
  ],
};

/**
 * Collects metrics in this process for Prometheus to scrape. Starts no server of its own: the node's health
 * server shows `page()`.
 *
 * @example
 * const metrics = prometheusMetrics();
 * createNode({ …, metrics });
 * startHealthServer({ …, metrics: () => metrics.page() });
 */
export function prometheusMetrics(): PrometheusMetrics {
  const exporter = new PrometheusExporter({
    preventServerStart: true,
    withoutScopeInfo: true,
    withoutTargetInfo: true,
  });
  const provider = new MeterProvider({ readers: [exporter] });
  const meter = provider.getMeter("millrace");
  const serializer = new PrometheusSerializer("", false, undefined, true, true);
  const counter = instruments<CounterName, Counter>((name) =>
    meter.createCounter(name, { description: DESCRIPTIONS[name] }),
  );
  const histogram = instruments<HistogramName, Histogram>((name) =>
    meter.createHistogram(name, {
      description: DESCRIPTIONS[name],
      unit: "s",
      advice: { explicitBucketBoundaries: BUCKETS[name] },
    }),
  );
  const gauge = instruments<GaugeName, Gauge>((name) =>
    meter.createGauge(name, { description: DESCRIPTIONS[name] }),
  );
  return {
    increment: (name, labels, by = 1) => counter(name).add(by, labels),
    observe: (name, labels, seconds) => histogram(name).record(seconds, labels),
    gauge: (name, labels, value) => gauge(name).record(value, labels),
    page: async () => serializer.serialize((await exporter.collect()).resourceMetrics),
    close: () => provider.shutdown(),
  };
}

/** Made at first use, so that a page shows no metric that nothing ever touched. */
function instruments<Name extends string, Instrument>(
  make: (name: Name) => Instrument,
): (name: Name) => Instrument {
  const made = new Map<Name, Instrument>();
  return (name) => {
    let instrument = made.get(name);
    if (instrument === undefined) {
      instrument = make(name);
      made.set(name, instrument);
    }
    return instrument;
  };
}
