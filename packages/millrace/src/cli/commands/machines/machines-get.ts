import type { MachinePassage, MachineSnapshot } from "@millrace/core";
import { showValue } from "@millrace/telemetry/masking";
import { flag } from "../../../config/field-kinds.ts";
import { maskOf } from "../../../config/mask-of.ts";
import { command } from "../../command.ts";
import type { Paint } from "../../io.ts";
import { shownMachine } from "../../show/machine.ts";
import { type Column, facts, table } from "../../show/table.ts";
import { withClient } from "../../with-client.ts";
import { stateText } from "./machines-list.ts";

type Shown = Omit<MachineSnapshot, "matches">;

const WAY: readonly Column<MachinePassage>[] = [
  { title: "AT", cell: ({ at }) => new Date(at).toISOString() },
  { title: "EVENT", cell: ({ event }) => event },
  { title: "STATE", cell: ({ value }) => stateText(value) },
];

export const machinesGet = command({
  name: "machines get",
  summary: "Show one durable machine: its state, what it waits for, and the way it took",
  usage: "MACHINE ID",
  args: { min: 2, max: 2 },
  flags: {
    "show-payload": { kind: flag, about: "Show the context, output and errors as they are" },
  },
  fields: ["connection", "namespace", "masking"],
  examples: [["millrace machines get order o-17", "Where the order o-17 stands"]],
  async run({ args: [machine = "", id = ""], flags, config }) {
    const snapshot = await withClient(config, (client) => client.machine(machine, id).snapshot());
    const shown = shownMachine(snapshot, showValue(flags["show-payload"], maskOf(config)));
    return { json: shown, text: (paint) => machineText(shown, paint) };
  },
});

function machineText(shown: Shown, paint: Paint): string {
  const { machine, id, status, value, context, output, error, jobs, timers, trouble } = shown;
  const waits = [
    ...Object.entries(jobs).map(([actor, { job, queue }]) => `${actor}: job ${job} (${queue})`),
    ...timers.map(({ at, event }) => `${event.type} at ${new Date(at).toISOString()}`),
  ];
  const rows: [string, string][] = [
    ["machine", `${machine} ${id}, version ${shown.version}`],
    ["state", `${stateText(value)} (${status})`],
    ["context", JSON.stringify(context)],
    ...(output === undefined ? [] : [["output", JSON.stringify(output)] as [string, string]]),
    ...(error === undefined
      ? []
      : [["error", `${error.type}: ${error.message}`] as [string, string]]),
    ...waits.map((wait): [string, string] => ["waits for", wait]),
    ...(trouble === undefined
      ? []
      : [
          [
            "trouble",
            `${trouble.event} at ${new Date(trouble.at).toISOString()}: ${trouble.error.type}: ${trouble.error.message}`,
          ] as [string, string],
        ]),
  ];
  return `${facts(rows, paint)}\n${table(WAY, shown.trail, paint)}`;
}
