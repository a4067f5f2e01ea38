import { activeStates, type MachineSnapshot } from "@millrace/core";
import { oneOf, whole } from "../../../config/field-kinds.ts";
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
      kind: oneOf("active", "done", "error", "stopped"),
      about: "Only those of this status",
    },
    limit: { kind: whole(1, 10_000), about: "At most so many (default 100)" },
  },
  fields: ["connection", "namespace", "masking"],
  examples: [["millrace machines list order --status error", "Orders whose chart has failed"]],
  async run({ args: [machine], flags, config }) {
    const { status, limit } = flags;
    const found = await withClient(config, (client) =>
      client.machines.list({
        ...(machine === undefined ? {} : { machine }),
        ...(status === undefined ? {} : { status }),
        ...(limit === undefined ? {} : { limit }),
      }),
    );
    const show = maskOf(config);
    return {
      json: found.map((one) => shownMachine(one, show)),
      text: (paint) => (found.length === 0 ? "no machines\n" : table(COLUMNS, found, paint)),
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
