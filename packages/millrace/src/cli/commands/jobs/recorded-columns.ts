import { formatMs } from "@millrace/core";
import type { Column } from "../../show/table.ts";

interface Recorded {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly state: string;
  readonly attempts: number;
  readonly durationMs?: number;
  readonly at: number;
}

/** Of jobs on record, whether the history or an index has them. */
export const RECORDED_COLUMNS: readonly Column<Recorded>[] = [
  { title: "ID", cell: ({ id }) => id },
  { title: "NAME", cell: ({ name }) => name },
  { title: "QUEUE", cell: ({ queue }) => queue },
  { title: "STATE", cell: ({ state }) => state },
  { title: "ATTEMPTS", align: "right", cell: ({ attempts }) => String(attempts) },
  {
    title: "TOOK",
    align: "right",
    cell: ({ durationMs }) => (durationMs === undefined ? "-" : formatMs(durationMs)),
  },
  { title: "AT", cell: ({ at }) => new Date(at).toISOString() },
];
