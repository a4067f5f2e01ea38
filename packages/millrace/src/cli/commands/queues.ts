import { formatMs, type QueueSnapshot } from "@millrace/core";
import { command } from "../command.ts";
import { type Column, table } from "../show/table.ts";
import { withClient } from "../with-client.ts";

const COLUMNS: readonly Column<QueueSnapshot>[] = [
  { title: "QUEUE", cell: ({ queue }) => queue },
  { title: "WAITING", align: "right", cell: ({ waiting }) => String(waiting) },
  { title: "RUNNING", align: "right", cell: ({ running }) => String(running) },
  { title: "DELAYED", align: "right", cell: ({ delayed }) => String(delayed) },
  { title: "HELD", align: "right", cell: ({ held }) => String(held) },
  { title: "DEAD", align: "right", cell: ({ dead }) => String(dead) },
  {
    title: "OLDEST",
    align: "right",
    cell: ({ oldestAgeMs }) => (oldestAgeMs === 0 ? "-" : formatMs(oldestAgeMs)),
  },
];

export const queues = command({
  name: "queues",
  summary: "List the queues and what is in them",
  usage: "",
  args: { min: 0, max: 0 },
  flags: {},
  fields: ["connection", "namespace"],
  examples: [
    [
      "millrace queues --json",
      "For scripts: [{queue, waiting, running, delayed, held, dead, oldestAgeMs}]",
    ],
  ],
  async run({ config }) {
    const snapshots = await withClient(config, (client) => client.queues.list());
    const rows = snapshots
      .map(({ queue, waiting, running, delayed, held, dead, oldestAgeMs }) => ({
        queue,
        waiting,
        running,
        delayed,
        held,
        dead,
        oldestAgeMs,
      }))
      .toSorted((a, b) => (a.queue < b.queue ? -1 : 1));
    return {
      json: rows,
      text: (paint) =>
        rows.length === 0
          ? `no queues in namespace ${config.namespace}: a node makes those of its jobs when it starts\n`
          : table(COLUMNS, rows, paint),
    };
  },
});
