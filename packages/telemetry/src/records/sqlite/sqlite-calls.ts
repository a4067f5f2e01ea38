import type { ExecutionRecord } from "../execution-record.ts";
import type { RecordQuery } from "../record-handler.ts";

/** What the thread is asked for, one at a time. */
export type SqliteCall =
  | { readonly do: "write"; readonly records: readonly ExecutionRecord[] }
  | { readonly do: "query"; readonly query: RecordQuery }
  | { readonly do: "prune"; readonly before: number }
  | { readonly do: "close" };

export type SqliteAnswer =
  | { readonly ok: true; readonly records: readonly ExecutionRecord[] }
  | { readonly ok: false; readonly message: string };

export interface SqliteWorkerData {
  readonly path: string;
}
