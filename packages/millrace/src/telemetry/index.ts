export {
  type OpenTelemetryMetrics,
  openTelemetryMetrics,
  type OpenTelemetryMetricsOptions,
} from "@millrace/telemetry/metrics";
export { type Propagation, telemetry, type TelemetryOptions } from "@millrace/telemetry/tracing";
