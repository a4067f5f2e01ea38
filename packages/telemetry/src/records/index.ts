export {
  executionRecords,
  type ExecutionRecords,
  type ExecutionRecordsOptions,
} from "./execution-records.ts";
export type { ExecutionRecord, RecordFilter } from "./execution-record.ts";
export { historyRecords } from "./history-records.ts";
export { ndjsonRecords, type NdjsonOptions } from "./ndjson/ndjson-records.ts";
export { postgresRecords, type PostgresOptions } from "./postgres/postgres-records.ts";
export type { RecordHandler, RecordQuery } from "./record-handler.ts";
export { sqliteRecords, type SqliteOptions } from "./sqlite/sqlite-records.ts";
