import type { ScheduleStatus } from "../../../client/schedules/schedule-documents.ts";
import { flag } from "../../../config/field-kinds.ts";
import { maskOf } from "../../../config/mask-of.ts";
import { command } from "../../command.ts";
import { type ShowValue, showValue } from "@millrace/telemetry/masking";
import { type Column, table } from "../../show/table.ts";
import { withClient } from "../../with-client.ts";

const COLUMNS: readonly Column<ScheduleStatus>[] = [
  { title: "NAME", cell: ({ name }) => name },
  { title: "CRON", cell: ({ cron }) => cron },
  { title: "ZONE", cell: ({ timezone }) => timezone },
  { title: "JOB", cell: ({ job }) => job },
  { title: "QUEUE", cell: ({ queue }) => queue },
  { title: "NEXT", cell: nextOf },
  { title: "LAST", cell: ({ state }) => timeOf(state.job?.tick) },
  { title: "FIRED", align: "right", cell: ({ state }) => String(state.fired) },
  { title: "SKIPPED", align: "right", cell: ({ state }) => String(state.skipped) },
  { title: "LATE", align: "right", cell: ({ state }) => String(state.late) },
  { title: "ORIGIN", cell: ({ origin }) => origin },
  { title: "SEEN", cell: ({ seen }) => timeOf(seen?.at) },
  { title: "TROUBLE", cell: ({ state }) => state.trouble?.code ?? "" },
];

export const cronList = command({
  name: "cron list",
  summary: "List the schedules of the namespace, with when they are due and how they fare",
  usage: "",
  args: { min: 0, max: 0 },
  flags: { "show-payload": { kind: flag, about: "Show payloads as they are (with --json)" } },
  fields: ["connection", "namespace", "masking"],
  examples: [["millrace cron list", "All schedules"]],
  async run({ flags, config }) {
    const schedules = await withClient(config, (client) => client.cron.list());
    const show = showValue(flags["show-payload"], maskOf(config));
    return {
      json: schedules.map((schedule) => jsonOf(schedule, show)),
      text: (paint) =>
        schedules.length === 0 ? "nothing is scheduled\n" : table(COLUMNS, schedules, paint),
    };
  },
});

function jsonOf({ state, next, seen, payload, ...schedule }: ScheduleStatus, show: ShowValue) {
  const { lastTick, pausedAt, job, fired, skipped, late, trouble, queued } = state;
  return {
    ...schedule,
    payload: show(payload),
    next: next ?? null,
    paused: pausedAt !== undefined,
    lastTick: lastTick ?? null,
    lastJob: job ?? null,
    queued: queued ?? null,
    fired,
    skipped,
    late,
    trouble: show(trouble ?? null),
    seen: seen ?? null,
  };
}

function nextOf({ state, next }: ScheduleStatus): string {
  return state.pausedAt === undefined ? timeOf(next) : "paused";
}

export function timeOf(ms: number | undefined): string {
  return ms === undefined ? "-" : new Date(ms).toISOString().replace(".000Z", "Z");
}
