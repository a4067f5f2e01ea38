import { formatMs, unheardIn, type UnheardJobs } from "@millrace/core";
import { maskOf } from "../../../config/mask-of.ts";
import { command } from "../../command.ts";
import { clean } from "../../show/clean.ts";
import { QUEUE_COUNTS } from "../../show/queue-counts.ts";
import { queueState, shownMarks } from "../../show/queue-state.ts";
import { type Column, table } from "../../show/table.ts";
import { withClient } from "../../with-client.ts";
import type { QueueStatus } from "../../../client/queues/queue-status.ts";

const columns = (now: number): readonly Column<QueueStatus & UnheardJobs>[] => [
  ...QUEUE_COUNTS,
  {
    title: "OLDEST",
    align: "right",
    cell: ({ oldestAgeMs }) => (oldestAgeMs === 0 ? "-" : formatMs(oldestAgeMs)),
  },
  { title: "STATE", cell: (status) => clean(queueState(status, now), 200) },
];

export const queues = command({
  name: "queues",
  summary: "List the queues, what is in them, and whether they are paused or closed",
  usage: "",
  args: { min: 0, max: 0 },
  flags: {},
  fields: ["connection", "namespace", "masking"],
  examples: [
    [
      "millrace queues --json",
      "For scripts: [{queue, intake, queued, running, delayed, blocked, dead, oldestAgeMs, paused?, closed?, sendsTo?, maxParked?, maxJobs?, maxBytes?, activeMs?, lost?, unheard?, silentMs?}]",
    ],
  ],
  async run({ config }) {
    const rows = await withClient(config, async ({ queues: all, nodes }) => {
      // What nodes say is beside the point where it can't be read.
      const [statuses, fleet] = await Promise.all([
        all.list(),
        nodes.list().catch(() => undefined),
      ]);
      const mask = maskOf(config);
      const sorted = statuses.toSorted((a, b) => (a.queue < b.queue ? -1 : 1));
      return sorted.map((status) => ({
        ...shownMarks(status, mask),
        ...(fleet && unheardIn(status, fleet)),
      }));
    });
    return {
      json: rows,
      text: (paint) =>
        rows.length === 0
          ? `no queues in namespace ${config.namespace}: a node makes those of its jobs when it starts\n`
          : table(columns(Date.now()), rows, paint),
    };
  },
});
