import type { FilterFields } from "../filter/filter-fields.ts";

/** A row of the table `cause`. */
export interface CauseRow {
  readonly key: number;
  readonly queue: string;
  readonly name: string;
  readonly fingerprint: string;
  readonly error: string;
  readonly pattern: string;
  readonly frame: string | null;
  readonly message: string;
  readonly last_id: string;
  readonly last_trace_id: string | null;
  readonly first_at: number;
  readonly last_at: number;
  readonly failures: number;
  readonly died: number;
  readonly jobs: number;
  /** Asked for only where a filter wants to know. */
  readonly nodes: () => readonly string[];
}

type Told = Pick<
  CauseRow,
  "name" | "queue" | "error" | "message" | "pattern" | "fingerprint" | "nodes" | "last_at"
>;

/** What is known of all that failed of a cause, and not of one attempt or job alone. */
export const CAUSE_FIELDS: FilterFields<Told> = {
  texts: {
    name: ({ name }) => name,
    queue: ({ queue }) => queue,
    error: ({ error }) => error,
    message: ({ pattern, message }) => [pattern, message],
    fingerprint: ({ fingerprint }) => fingerprint,
    node: ({ nodes }) => nodes(),
  },
  numbers: {},
  durations: {},
  at: (row) => row.last_at,
  payload: "no payload, which a cause does not have: many jobs fail of one",
  words: ["name", "queue", "error", "message"],
};
