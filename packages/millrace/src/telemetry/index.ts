export {
  createMask,
  type Mask,
  mask,
  maskError,
  type MaskOptions,
  maskText,
  type SecretPattern,
} from "@millrace/telemetry/masking";
export {
  type OpenTelemetryMetrics,
  openTelemetryMetrics,
  type OpenTelemetryMetricsOptions,
} from "@millrace/telemetry/metrics";
export { type Propagation, telemetry, type TelemetryOptions } from "@millrace/telemetry/tracing";
