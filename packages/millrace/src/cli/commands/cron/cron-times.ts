import { formatMs } from "@millrace/core";
import type { ScheduleEvent } from "../../../client/schedules/schedule-history.ts";
import { flag, whole } from "../../../config/field-kinds.ts";
import { maskOf } from "../../../config/mask-of.ts";
import { command } from "../../command.ts";
import { shownRecord, showValue } from "@millrace/telemetry/masking";
import { type Column, table } from "../../show/table.ts";
import { traceColumnsOf } from "../../show/trace.ts";
import { withClient } from "../../with-client.ts";
import { timeOf } from "./cron-list.ts";

export const cronNext = command({
  name: "cron next",
  summary: "Show when a schedule is due next, without its jitter",
  usage: "NAME",
  args: { min: 1, max: 1 },
  flags: { count: { kind: whole(1, 1_000), about: "How many times (default 5)" } },
  fields: ["connection", "namespace", "masking"],
  examples: [["millrace cron next nightly --count 10", "The next ten"]],
  async run({ args: [name = ""], flags: { count = 5 }, config }) {
    const ticks = await withClient(config, (client) => client.cron.next(name, count));
    return { json: ticks, text: () => ticks.map((tick) => `${timeOf(tick)}\n`).join("") };
  },
});

const COLUMNS: readonly Column<ScheduleEvent>[] = [
  { title: "AT", cell: ({ at }) => timeOf(at) },
  { title: "WHAT", cell: ({ what }) => what },
  { title: "TICK", cell: ({ tick }) => timeOf(tick) },
  { title: "WHY", cell: whyOf },
  { title: "JOB", cell: ({ id }) => id ?? "" },
  { title: "STATE", cell: ({ id, latest }) => latest?.state ?? (id === undefined ? "" : "?") },
];

function whyOf({ lateMs, reason, count }: ScheduleEvent): string {
  if (lateMs !== undefined) return `late (${formatMs(lateMs)})`;
  return reason === undefined ? "" : `${reason} (${count})`;
}

export const cronHistory = command({
  name: "cron history",
  summary:
    "Show what was decided about a schedule's last ticks, and what became of the jobs, the newest first",
  usage: "NAME",
  args: { min: 1, max: 1 },
  flags: {
    limit: { kind: whole(1, 20), about: "At most this many (default 20)" },
    "show-payload": { kind: flag, about: "Show results as they are (with --json)" },
  },
  fields: ["connection", "namespace", "masking", "tracing"],
  examples: [["millrace cron history nightly --limit 5", "The last five"]],
  async run({ args: [name = ""], flags, config }) {
    const events = await withClient(config, (client) => client.cron.history(name, flags.limit));
    const show = showValue(flags["show-payload"], maskOf(config));
    return {
      json: events.map(({ latest, ...event }) => ({
        ...event,
        latest: latest === undefined ? null : shownRecord(latest, show),
      })),
      text: (paint) =>
        events.length === 0
          ? "nothing was due so far\n"
          : table(
              [
                ...COLUMNS,
                ...traceColumnsOf(events, ({ latest }) => latest?.traceId, config.traceUrl),
              ],
              events,
              paint,
            ),
    };
  },
});
