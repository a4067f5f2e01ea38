export {
  type OpenTelemetryMetrics,
  openTelemetryMetrics,
  type OpenTelemetryMetricsOptions,
  registeredMetrics,
} from "./opentelemetry-metrics.ts";
