export {
  type ExecutionRecord,
  executionRecords,
  type ExecutionRecords,
  type ExecutionRecordsOptions,
  historyRecords,
  ndjsonRecords,
  type NdjsonOptions,
  type RecordFilter,
  type RecordHandler,
  type RecordQuery,
} from "@millrace/telemetry/records";
export { type Propagation, telemetry, type TelemetryOptions } from "@millrace/telemetry/tracing";
