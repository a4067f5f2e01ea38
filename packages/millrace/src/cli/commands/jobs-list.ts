import { formatMs, type HistoryRecord } from "@millrace/core";
import { flag, oneOf, text, whole } from "../../config/field-kinds.ts";
import { command } from "../command.ts";
import { shownRecord, showValue } from "../show/payload.ts";
import { type Column, table } from "../show/table.ts";
import { withClient } from "../with-client.ts";

const COLUMNS: readonly Column<HistoryRecord>[] = [
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

export const jobsList = command({
  name: "jobs list",
  summary:
    "List the jobs that nodes settled last, newest first; jobs that only wait are counted by millrace queues",
  usage: "",
  args: { min: 0, max: 0 },
  flags: {
    queue: { kind: { ...text, placeholder: "<queue>" }, about: "Only jobs of this queue" },
    state: {
      kind: oneOf("succeeded", "requeued", "dead", "expired", "cancelled"),
      about: "Only jobs whose latest record has this state, among the latest --limit",
    },
    limit: { kind: whole(1, 10_000), about: "How many to look at (default 50)" },
    "show-payload": { kind: flag, about: "Show results as they are (with --json)" },
  },
  fields: ["connection", "namespace"],
  examples: [
    ["millrace jobs list --queue mail --limit 20", "The 20 latest jobs of the queue mail"],
  ],
  async run({ flags, config }) {
    const { queue, state, limit = 50 } = flags;
    const records = await withClient(config, (client) =>
      client.broker.history.recent({ limit, ...(queue === undefined ? {} : { queue }) }),
    );
    const show = showValue(flags["show-payload"]);
    const rows = records
      .filter((record) => state === undefined || record.state === state)
      .map((record) => shownRecord(record, show));
    return {
      json: rows,
      text: (paint) =>
        rows.length === 0 ? "no jobs in the history\n" : table(COLUMNS, rows, paint),
    };
  },
});
