export { isSecretKey, mask, MASKED } from "./masking/mask.ts";
export {
  type OpenTelemetryMetrics,
  openTelemetryMetrics,
  type OpenTelemetryMetricsOptions,
} from "./metrics/opentelemetry-metrics.ts";
export {
  type PrometheusMetrics,
  prometheusMetrics,
  type PrometheusMetricsOptions,
} from "./metrics/prometheus-metrics.ts";
