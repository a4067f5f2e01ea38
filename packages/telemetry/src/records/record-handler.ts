import type { ExecutionRecord, RecordFilter } from "./execution-record.ts";

/** Which stored records to read back, and how many. */
export interface RecordQuery extends RecordFilter {
  /** At most this many, the newest. */
  readonly limit: number;
}

/**
 * Where execution records are kept. Calls never overlap. It needs no patience of its own: what it
 * rejects, it is given again later.
 *
 * @example
 * const stdout: RecordHandler = {
 *   name: "stdout",
 *   write: async (records) => {
 *     for (const record of records) console.log(JSON.stringify(record));
 *   },
 *   close: async () => {},
 * };
 */
export interface RecordHandler {
  /** In log lines and as a metric's label. */
  readonly name: string;
  /**
   * Keeps these, oldest first. Rejects where that isn't sure; then the same ones come again, so
   * writing one twice must be harmless or rare. `record-refused` says that trying again is of no
   * use: such records are dropped and counted.
   */
  write(records: readonly ExecutionRecord[]): Promise<void>;
  /** The newest first. */
  query?(query: RecordQuery): Promise<readonly ExecutionRecord[]>;
  /** Deletes what is kept longer than this handler keeps it. Called at the start and every hour. */
  prune?(now: number): Promise<void>;
  close(): Promise<void>;
}
