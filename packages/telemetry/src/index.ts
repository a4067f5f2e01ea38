export { maskedLogger } from "./logs/masked-logger.ts";
export {
  type ExecutionRecord,
  executionRecords,
  type ExecutionRecords,
  type ExecutionRecordsOptions,
  historyRecords,
  ndjsonRecords,
  type NdjsonOptions,
  postgresRecords,
  type PostgresOptions,
  type RecordFilter,
  type RecordHandler,
  type RecordQuery,
  sqliteRecords,
  type SqliteOptions,
} from "./records/index.ts";
export {
  createMask,
  isSecretKey,
  type Mask,
  mask,
  MASKED,
  maskError,
  type MaskOptions,
  maskText,
  SECRET_PATTERNS,
  type SecretPattern,
} from "./masking/index.ts";
export {
  type OpenTelemetryMetrics,
  openTelemetryMetrics,
  type OpenTelemetryMetricsOptions,
  registeredMetrics,
} from "./metrics/index.ts";
export {
  type PrometheusMetrics,
  prometheusMetrics,
  type PrometheusMetricsOptions,
} from "./metrics/prometheus-metrics.ts";
export type { Propagation, TelemetryOptions } from "./tracing/options.ts";
export { telemetry } from "./tracing/telemetry.ts";
