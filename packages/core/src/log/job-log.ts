/** From the least to the most. */
export const JOB_LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

export type JobLogLevel = (typeof JOB_LOG_LEVELS)[number];

/** A line that a handler logged, as it is kept: masked, and bounded in size. */
export interface JobLogLine {
  /** Epoch milliseconds, by the node's clock. */
  readonly at: number;
  readonly level: JobLogLevel;
  readonly message: string;
  /** Plain JSON, errors as `RecordedError`. Absent where the line had none. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** Lines of one attempt that were written together. */
export interface JobLogPage {
  /** Tells an enqueue of the job's id from a later one, as in the envelope. */
  readonly createdAt: number;
  /** 1 for the first. */
  readonly attempt: number;
  readonly node: string;
  /** The fencing token of the run: two nodes that ran the same attempt have different ones. */
  readonly token: number;
  /** Which of the run's pages this is, from 0. */
  readonly page: number;
  readonly lines: readonly JobLogLine[];
  /** So many lines before the end of this page were logged and not kept: there was no room. */
  readonly left?: number;
}

export function isAtLeast(level: JobLogLevel, least: JobLogLevel): boolean {
  return JOB_LOG_LEVELS.indexOf(level) >= JOB_LOG_LEVELS.indexOf(least);
}
