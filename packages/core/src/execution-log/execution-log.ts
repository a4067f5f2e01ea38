import type { HistoryRecord } from "../settlement/history-record.ts";

/**
 * Takes one record per settled delivery. Called after the settlement was confirmed; it returns at once and
 * never throws: a log that is slow or broken must not touch a job.
 */
export interface ExecutionLog {
  record(record: HistoryRecord): void;
  /** Writes out what is still held. Called once, when the node stops. */
  close(): Promise<void>;
}

export const noExecutionLog: ExecutionLog = { record: () => {}, close: () => Promise.resolve() };
