import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { type IMetricReader, MeterProvider } from "@opentelemetry/sdk-metrics";
import { type OpenTelemetryMetrics, openTelemetryMetrics } from "./opentelemetry-metrics.ts";

export interface PrometheusMetricsOptions {
  /** Where the same metrics go beside the page, over OTLP for instance. Ended by `close()`. */
  readonly readers?: readonly IMetricReader[];
  /** The `messaging.…` instruments beside our own. Default true. */
  readonly conventions?: boolean;
}

export interface PrometheusMetrics extends OpenTelemetryMetrics {
  /** The text of a `/metrics` page, format 0.0.4. */
  page(): Promise<string>;
  close(): Promise<void>;
}

/**
 * Collects metrics in this process for Prometheus to scrape. Starts no server of its own: the node's health
 * server shows `page()`.
 *
 * @example
 * const metrics = prometheusMetrics();
 * createNode({ …, metrics });
 * startHealthServer({ …, metrics: () => metrics.page() });
 */
export function prometheusMetrics({
  readers = [],
  conventions = true,
}: PrometheusMetricsOptions = {}): PrometheusMetrics {
  const exporter = new PrometheusExporter({
    preventServerStart: true,
    withoutScopeInfo: true,
    withoutTargetInfo: true,
  });
  const provider = new MeterProvider({ readers: [exporter, ...readers] });
  const serializer = new PrometheusSerializer("", false, undefined, true, true);
  return {
    ...openTelemetryMetrics({ meter: provider.getMeter("millrace"), conventions }),
    page: async () => serializer.serialize((await exporter.collect()).resourceMetrics),
    close: () => provider.shutdown(),
  };
}
