import type { Envelope } from "../envelope/envelope.ts";
import type { HistoryRecord } from "../settlement/history-record.ts";

/**
 * What an execution log is told of one delivery. `abandoned` stands in no history, because another
 * holder owns the job by then; the handler ran all the same.
 */
export interface SettledExecution extends Omit<HistoryRecord, "state"> {
  readonly state: HistoryRecord["state"] | "abandoned";
}

/**
 * Takes one record per settled delivery, with the envelope as it was delivered. Called after the
 * settlement was confirmed; it returns at once and never throws: a log that is slow or broken must
 * not touch a job. `traceId` is the attempt's own, where it was traced.
 */
export interface ExecutionLog {
  record(execution: SettledExecution, envelope: Envelope, traceId?: string): void;
  /**
   * Writes out what is still held. Called once, when the node stops, which waits for so many
   * milliseconds and no longer.
   */
  close(withinMs?: number): Promise<void>;
}

export const noExecutionLog: ExecutionLog = { record: () => {}, close: () => Promise.resolve() };
