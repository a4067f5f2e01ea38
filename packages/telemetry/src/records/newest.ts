import type { ExecutionRecord } from "./execution-record.ts";

/** The newest first, each once, `limit` at most. */
export function newest(
  records: readonly ExecutionRecord[],
  limit: number,
): readonly ExecutionRecord[] {
  const once = new Map(records.map((record) => [record.recordId, record]));
  return [...once.values()].sort((a, b) => b.at - a.at || b.attempt - a.attempt).slice(0, limit);
}
