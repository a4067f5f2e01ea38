import { activeStates, MillraceError } from "@millrace/core";
import { whole } from "../../../config/field-kinds.ts";
import { command } from "../../command.ts";
import { mermaidChart } from "../../show/mermaid-chart.ts";
import { withClient } from "../../with-client.ts";

export const machinesChart = command({
  name: "machines chart",
  summary: "Print a durable machine's chart as a Mermaid diagram, with the state of one lit",
  usage: "MACHINE [ID]",
  args: { min: 1, max: 2 },
  flags: {
    "chart-version": {
      kind: whole(1, Number.MAX_SAFE_INTEGER),
      about: "The chart's version (default: the newest)",
    },
  },
  fields: ["connection", "namespace"],
  examples: [
    ["millrace machines chart order", "The chart of all orders"],
    ["millrace machines chart order o-17", "The chart of one order, with its state highlighted"],
  ],
  run: ({ args: [machine = "", id], flags, config }) =>
    withClient(config, async (client) => {
      const one = id === undefined ? undefined : await client.machine(machine, id).snapshot();
      const version = flags["chart-version"] ?? one?.version;
      const chart = await client.machines.chart(machine, version === undefined ? {} : { version });
      if (chart === undefined)
        throw new MillraceError(
          "machine-not-found",
          `No node has told the chart of ${machine}${version === undefined ? "" : `, version ${version}`}. A node that hosts the machine tells it when it starts.`,
        );
      const active = one === undefined ? [] : activeStates(one.value);
      return { json: { ...chart, active }, text: () => mermaidChart(chart, active) };
    }),
});
