import { defined, formatMs } from "@millrace/core";
import {
  type ExecutionRecord,
  historyRecords,
  type RecordHandler,
  type RecordQuery,
} from "@millrace/telemetry/records";
import { shownRecord, shownTags, type ShowValue, showValue } from "@millrace/telemetry/masking";
import type { Config } from "../../config/fields.ts";
import { maskOf } from "../../config/mask-of.ts";
import { oneOf, text, whole } from "../../config/field-kinds.ts";
import {
  configuredStores,
  openStore,
  RECORD_STORES,
  type RecordStore,
} from "../../records/record-stores.ts";
import { command } from "../command.ts";
import { type Column, table } from "../show/table.ts";
import { traceColumns } from "../show/trace.ts";
import { ago } from "../time-kinds.ts";
import { withClient } from "../with-client.ts";

const OUTCOMES = [
  "succeeded",
  "failed",
  "timed-out",
  "snoozed",
  "interrupted",
  "cancelled",
  "lease-lost",
  "expired",
  "rejected",
  "crashed",
  "buried",
] as const satisfies readonly ExecutionRecord["outcome"][];

const COLUMNS: readonly Column<ExecutionRecord>[] = [
  { title: "AT", cell: ({ at }) => new Date(at).toISOString() },
  { title: "ID", cell: ({ id }) => id },
  { title: "NAME", cell: ({ name }) => name },
  { title: "QUEUE", cell: ({ queue }) => queue },
  { title: "ATTEMPT", align: "right", cell: ({ attempt }) => String(attempt) },
  { title: "OUTCOME", cell: ({ outcome }) => outcome },
  { title: "STATE", cell: ({ state }) => state },
  {
    title: "TOOK",
    align: "right",
    cell: ({ durationMs }) => (durationMs === undefined ? "-" : formatMs(durationMs)),
  },
  {
    title: "RETRY IN",
    align: "right",
    cell: ({ retryDelayMs }) => (retryDelayMs === undefined ? "-" : formatMs(retryDelayMs)),
  },
  { title: "NODE", cell: ({ node }) => node },
];
const ERROR: Column<ExecutionRecord> = {
  title: "ERROR",
  cell: ({ error, reason }) =>
    error === undefined ? (reason ?? "") : `${error.type}: ${error.message}`,
};

export const records = command({
  name: "records",
  summary:
    "Show execution records, one per attempt, newest first, from where this configuration keeps them, or from the history stream",
  usage: "",
  args: { min: 0, max: 0 },
  flags: {
    queue: { kind: { ...text, placeholder: "<queue>" }, about: "Only jobs of this queue" },
    name: { kind: { ...text, placeholder: "<name>" }, about: "Only jobs of this name" },
    id: { kind: { ...text, placeholder: "<id>" }, about: "Only the job with this id" },
    outcome: {
      kind: { ...oneOf(...OUTCOMES), placeholder: "<outcome>" },
      about: `Only attempts that ended so: ${OUTCOMES.join(", ")}`,
    },
    since: {
      kind: ago,
      about: "Settled since this time: 2031-05-01T09:00:00Z, epoch milliseconds, or 1h (ago)",
    },
    limit: { kind: whole(1, 100_000), about: "At most this many (default 50)" },
    from: {
      kind: oneOf(...RECORD_STORES, "history"),
      about: "Which store to read (default: the configured one, else the history stream)",
    },
  },
  fields: ["connection", "namespace", "masking", "records", "tracing"],
  examples: [
    [
      "millrace records --records-dir records --outcome failed --since 1h",
      "What failed in the last hour, from files",
    ],
    ["millrace records --from history --queue mail", "The latest of each job, from the server"],
  ],
  async run({ flags, config }) {
    const { queue, name, id, outcome, since, limit = 50, from } = flags;
    const query: RecordQuery = {
      limit,
      ...defined({ queue, name, id, outcome, since }),
    };
    const found = await find(query, from, config);
    return {
      json: found,
      text: (paint) =>
        found.length === 0
          ? "no records\n"
          : table([...COLUMNS, ...traceColumns(found, config.traceUrl), ERROR], found, paint),
    };
  },
});

async function find(
  query: RecordQuery,
  from: RecordStore | "history" | undefined,
  config: Config,
): Promise<readonly ExecutionRecord[]> {
  const store = from ?? configuredStores(config)[0] ?? "history";
  const mask = maskOf(config);
  if (store !== "history") {
    const kept = await ask(openStore(store, config), query);
    return kept.map((record) => shown(record, showValue(false, mask)));
  }
  return withClient(config, ({ broker }) => ask(historyRecords(broker.history, { mask }), query));
}

/** Who shows a record may know more secrets than the node that has kept it. */
function shown(record: ExecutionRecord, show: ShowValue): ExecutionRecord {
  const { payload, tags } = record;
  return {
    ...shownRecord(record, show),
    ...(payload === undefined ? {} : { payload: show(payload) }),
    ...(tags === undefined ? {} : { tags: shownTags(tags, show) }),
  };
}

async function ask(
  handler: RecordHandler,
  query: RecordQuery,
): Promise<readonly ExecutionRecord[]> {
  try {
    return (await handler.query?.(query)) ?? [];
  } finally {
    await handler.close();
  }
}
