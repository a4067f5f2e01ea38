import { formatSeconds } from "@millrace/core";
import type { OutboxStatus, SetAsideRow } from "@millrace/outbox";
import { withOutbox } from "../../../outbox/configured-outbox.ts";
import { command } from "../../command.ts";
import { type Column, table } from "../../show/table.ts";
import { traceColumns } from "../../show/trace.ts";

const QUEUES: readonly Column<OutboxStatus>[] = [
  { title: "QUEUE", cell: ({ queue }) => queue },
  { title: "WAITING", align: "right", cell: ({ waiting }) => String(waiting) },
  { title: "OLDEST", align: "right", cell: ({ oldestAgeMs }) => formatSeconds(oldestAgeMs) },
  { title: "SET ASIDE", align: "right", cell: ({ setAside }) => String(setAside) },
  { title: "TROUBLE", cell: ({ trouble }) => trouble?.message ?? "" },
];

const ROWS: readonly Column<SetAsideRow>[] = [
  { title: "ROW", align: "right", cell: ({ seq }) => String(seq) },
  { title: "QUEUE", cell: ({ queue }) => queue },
  { title: "ID", cell: ({ id }) => id },
  { title: "SET ASIDE", cell: ({ ageMs }) => `${formatSeconds(ageMs)} ago` },
];
const WHY: readonly Column<SetAsideRow>[] = [
  { title: "WHY", cell: ({ reason, detail }) => `${reason}: ${detail}` },
];

const MOST_ROWS = 50;

export const outboxStatus = command({
  name: "outbox status",
  summary: "Show what waits in the outbox, why, and which rows were set aside",
  usage: "",
  args: { min: 0, max: 0 },
  flags: {},
  fields: ["outbox", "tracing"],
  examples: [["millrace outbox status --outbox-sqlite shop.db", "The outbox of a SQLite database"]],
  async run({ config }) {
    const [queues, setAside] = await withOutbox(config, async (store) => [
      await store.status(),
      await store.listSetAside(MOST_ROWS),
    ]);
    return {
      json: { queues, setAside },
      text: (paint) => {
        if (queues.length === 0) return "the outbox is empty\n";
        const columns = [...ROWS, ...traceColumns(setAside, config.traceUrl), ...WHY];
        const aside = setAside.length === 0 ? "" : `\n${table(columns, setAside, paint)}`;
        return `${table(QUEUES, queues, paint)}${aside}`;
      },
    };
  },
});
