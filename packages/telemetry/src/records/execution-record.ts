import type { HistoryRecord, JobRef, RecordedError, SettledExecution } from "@millrace/core";

/**
 * What became of one attempt, or of a job that ended without one. Plain data, ready for JSON;
 * payload, output and error are masked. Times are epoch milliseconds.
 */
export interface ExecutionRecord {
  /** Of this record, made anew for each: a handler that is given it twice can tell. */
  readonly recordId: string;
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  /** From 1. Of a job that ended without running, the attempt that was due. */
  readonly attempt: number;
  /** As far as the envelope says; a definition's own number isn't in it. */
  readonly maxAttempts?: number;
  readonly node: string;
  readonly state: SettledExecution["state"];
  readonly outcome: SettledExecution["outcome"];
  /** Missing in what comes from a history that an older version wrote. */
  readonly createdAt?: number;
  readonly startedAt?: number;
  /** When it was settled. */
  readonly at: number;
  readonly durationMs?: number;
  /** Until the next attempt, from `at`. */
  readonly retryDelayMs?: number;
  readonly reason?: HistoryRecord["reason"];
  readonly error?: RecordedError;
  /** 32 hexadecimal digits. */
  readonly traceId?: string;
  readonly parent?: JobRef;
  readonly tags?: readonly string[];
  readonly payload?: unknown;
  readonly output?: unknown;
}

/** All that are given must fit. */
export interface RecordFilter {
  readonly id?: string;
  readonly name?: string;
  readonly queue?: string;
  readonly outcome?: ExecutionRecord["outcome"];
  readonly state?: ExecutionRecord["state"];
  /** Settled at this time or later. */
  readonly since?: number;
}

export function matches(record: ExecutionRecord, filter: RecordFilter): boolean {
  return (
    (filter.id === undefined || record.id === filter.id) &&
    (filter.name === undefined || record.name === filter.name) &&
    (filter.queue === undefined || record.queue === filter.queue) &&
    (filter.outcome === undefined || record.outcome === filter.outcome) &&
    (filter.state === undefined || record.state === filter.state) &&
    (filter.since === undefined || record.at >= filter.since)
  );
}
