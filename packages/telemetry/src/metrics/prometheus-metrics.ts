import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import {
  DataPointType,
  type IMetricReader,
  MeterProvider,
  type MetricData,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import { optionNames, refuseUnknown } from "@millrace/core";
import { type OpenTelemetryMetrics, openTelemetryMetrics } from "./opentelemetry-metrics.ts";
import { PageReader } from "./page-reader.ts";
import { tellAll } from "./tell-all.ts";

export interface PrometheusMetricsOptions {
  /** Where the same metrics go beside the page, over OTLP for instance. Ended by `close()`. */
  readonly readers?: readonly IMetricReader[];
  /** Collectors that are told the same: `registeredMetrics()` for instance. They are not closed. */
  readonly alsoTo?: readonly OpenTelemetryMetrics[];
  /** The `messaging.…` instruments beside our own. Default true. */
  readonly conventions?: boolean;
}

export interface PrometheusMetrics extends OpenTelemetryMetrics {
  /** The text of a `/metrics` page, format 0.0.4. */
  page(): Promise<string>;
  close(): Promise<void>;
}

const NAMES = optionNames<PrometheusMetricsOptions>({
  ...{ readers: true, alsoTo: true, conventions: true },
});

/**
 * Collects metrics in this process for Prometheus to scrape. Starts no server of its own: the
 * node's health server shows `page()`.
 *
 * @throws MillraceError `invalid-option`
 * @example
 * const metrics = prometheusMetrics();
 * createNode({ …, metrics });
 * startHealthServer({ …, metrics: () => metrics.page() });
 */
export function prometheusMetrics(options: PrometheusMetricsOptions = {}): PrometheusMetrics {
  refuseUnknown(options, NAMES, "prometheusMetrics()");
  const { readers = [], alsoTo = [], conventions = true } = options;
  const reader = new PageReader();
  const provider = new MeterProvider({ readers: [reader, ...readers] });
  const serializer = new PrometheusSerializer("", false, undefined, true, true);
  const own = openTelemetryMetrics({ meter: provider.getMeter("millrace"), conventions });
  return {
    ...tellAll(own, alsoTo),
    page: async () => serializer.serialize(withoutEnded((await reader.collect()).resourceMetrics)),
    close: () => provider.shutdown(),
  };
}

/** Gauges that nobody knows any more are not on a page. */
function withoutEnded({ resource, scopeMetrics }: ResourceMetrics): ResourceMetrics {
  return {
    resource,
    scopeMetrics: scopeMetrics.map(({ scope, metrics }) => ({
      scope,
      metrics: metrics.map(toldOf).filter(({ dataPoints }) => dataPoints.length > 0),
    })),
  };
}

function toldOf(metric: MetricData): MetricData {
  if (metric.dataPointType !== DataPointType.GAUGE) return metric;
  return { ...metric, dataPoints: metric.dataPoints.filter(({ value }) => !Number.isNaN(value)) };
}
