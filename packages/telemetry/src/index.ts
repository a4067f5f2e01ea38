export { isSecretKey, mask, MASKED } from "./masking/mask.ts";
export { prometheusMetrics, type PrometheusMetrics } from "./metrics/prometheus-metrics.ts";
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
} from "./records/index.ts";
