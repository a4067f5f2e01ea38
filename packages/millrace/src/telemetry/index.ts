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
} from "@millrace/telemetry/records";
export { type Propagation, telemetry, type TelemetryOptions } from "@millrace/telemetry/tracing";
