import { activeStates, defined, MACHINE_STATUSES, type MachineSnapshot } from "@millrace/core";
import { oneOf, text, whole } from "../../../config/field-kinds.ts";
import { maskOf } from "../../../config/mask-of.ts";
import { command } from "../../command.ts";
import { type Column, table } from "../../show/table.ts";
import { withClient } from "../../with-client.ts";
import { shownMachine } from "../../show/machine.ts";

const COLUMNS: readonly Column<MachineSnapshot>[] = [
  { title: "MACHINE", cell: ({ machine }) => machine },
  { title: "ID", cell: ({ id }) => id },
  { title: "STATUS", cell: ({ status }) => status },
  { title: "STATE", cell: ({ value }) => stateText(value) },
  { title: "NEXT TIMER", cell: ({ timers: [next] }) => (next ? isoTime(next.at) : "-") },
  { title: "CHANGED", cell: ({ changedAt }) => isoTime(changedAt) },
];

export const machinesList = command({
  name: "machines list",
  summary: "List durable machines, those that changed last first",
  usage: "[MACHINE]",
  args: { min: 0, max: 1 },
  flags: {
    status: {
      kind: oneOf(...MACHINE_STATUSES),
      about: "Only those of this status",
    },
    state: {
      kind: text,
      about: "Only those in this state, or in one in it: waiting, waiting.quiet",
    },
    after: { kind: whole(1, Number.MAX_SAFE_INTEGER), about: "What the page before has said" },
    limit: { kind: whole(1, 10_000), about: "At most so many (default 100)" },
  },
  fields: ["connection", "namespace", "masking"],
  examples: [
    ["millrace machines list order --status error", "Orders whose chart has failed"],
    ["millrace machines list order --state approval --limit 500", "Orders that wait for an answer"],
  ],
  async run({ args: [machine], flags, config }) {
    const { status, state, limit, after } = flags;
    const { machines, next } = await withClient(config, (client) =>
      client.machines.list(defined({ machine, status, state, limit, after })),
    );
    const show = maskOf(config);
    return {
      json: {
        machines: machines.map((one) => shownMachine(one, show)),
        ...(next === undefined ? {} : { next }),
      },
      text: (paint) =>
        (machines.length === 0 ? "no machines\n" : table(COLUMNS, machines, paint)) +
        (next === undefined ? "" : `\nThere may be more: --after ${next}\n`),
    };
  },
});

function isoTime(at: number): string {
  return new Date(at).toISOString();
}

/** `waiting.nudged`; of parallel states each. */
export function stateText(value: unknown): string {
  return activeStates(value).join(", ") || "-";
}
