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
