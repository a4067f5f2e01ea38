import type { FailureGroup } from "@millrace/core";
import type { FilterFields } from "../filter/filter-fields.ts";

export const HOUR_MS = 3_600_000;
/** Where each start of a node has a name of its own, there may be very many. */
const MOST_NODES = 20;

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
}

/** A row of the table `failed`: attempts that failed of one cause. */
export interface FailedRow {
  readonly hour: number;
  readonly node: string;
  readonly failures: number;
  readonly died: number;
}

type Told = Pick<
  CauseRow,
  "name" | "queue" | "error" | "message" | "pattern" | "fingerprint" | "last_at"
> & {
  /** Asked for only where a filter wants to know. */
  readonly nodes: () => readonly string[];
};

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

/** Over which hours and nodes attempts failed of a cause. */
export class FailedOver {
  readonly #read: () => readonly FailedRow[];
  #rows: readonly FailedRow[] | undefined;

  /** @param read called once, where it is asked for */
  constructor(read: () => readonly FailedRow[]) {
    this.#read = read;
  }

  get nodes(): readonly string[] {
    return this.perNode.map(({ node }) => node);
  }

  /** Those of which most failed come first. */
  get perNode(): FailureGroup["nodes"] {
    return [...Map.groupBy(this.#failed, ({ node }) => node)]
      .map(([node, rows]) => ({ node, count: sum(rows, "failures") }))
      .toSorted((a, b) => b.count - a.count || (a.node < b.node ? -1 : 1));
  }

  get perHour(): FailureGroup["perHour"] {
    return [...Map.groupBy(this.#failed, ({ hour }) => hour)]
      .map(([hour, rows]) => ({
        at: hour * HOUR_MS,
        failures: sum(rows, "failures"),
        died: sum(rows, "died"),
      }))
      .toSorted((a, b) => a.at - b.at);
  }

  get #failed(): readonly FailedRow[] {
    return (this.#rows ??= this.#read());
  }
}

export function groupOf(row: CauseRow, failed: FailedOver): FailureGroup {
  const { queue, name, error, fingerprint, pattern, frame, failures, died, jobs, message } = row;
  const { perNode, perHour } = failed;
  return {
    ...{ queue, name, error, fingerprint, pattern },
    ...(frame === null ? {} : { frame }),
    ...{ failures, died, jobs, firstAt: row.first_at, lastAt: row.last_at, perHour },
    nodes: perNode.slice(0, MOST_NODES),
    nodeCount: perNode.length,
    ...{ lastId: row.last_id, message },
    ...(row.last_trace_id === null ? {} : { lastTraceId: row.last_trace_id }),
  };
}

function sum(rows: readonly FailedRow[], of: "failures" | "died"): number {
  return rows.reduce((all, row) => all + row[of], 0);
}
