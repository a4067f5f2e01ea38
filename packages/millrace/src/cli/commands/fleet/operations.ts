import type { Operation } from "../../../client/operations/operation.ts";
import type { OperationItem } from "../../../client/operations/operation-items.ts";
import { flag, text } from "../../../config/field-kinds.ts";
import { maskOf } from "../../../config/mask-of.ts";
import { command } from "../../command.ts";
import type { Paint } from "../../io.ts";
import { beginHere, runHere } from "../../run-operation.ts";
import { clean } from "../../show/clean.ts";
import {
  failureLines,
  filterText,
  howFar,
  maskedOperation,
  operationReport,
} from "../../show/operations.ts";
import { type Column, facts, table } from "../../show/table.ts";
import { traceColumns } from "../../show/trace.ts";
import { withClient } from "../../with-client.ts";

const COLUMNS: readonly Column<Operation>[] = [
  { title: "ID", cell: ({ id }) => id },
  { title: "AT", cell: ({ at }) => new Date(at).toISOString() },
  { title: "BY", cell: ({ by }) => by },
  { title: "KIND", cell: ({ kind }) => kind },
  { title: "WHICH", cell: filterText },
  { title: "STATE", cell: ({ progress }) => progress.state },
  { title: "HOW FAR", cell: howFar },
];

const ITEM_COLUMNS: readonly Column<OperationItem>[] = [
  { title: "QUEUE", cell: ({ queue }) => queue },
  { title: "ID", cell: ({ id }) => id },
  { title: "OUTCOME", cell: ({ outcome }) => outcome },
];

function itemTable(
  items: readonly OperationItem[],
  traceUrl: string | undefined,
  paint: Paint,
): string {
  return table([...ITEM_COLUMNS, ...traceColumns(items, traceUrl)], items, paint);
}

export const operationsList = command({
  name: "operations list",
  summary: "List the changes of many things, the newest first: who asked, for what, how far it is",
  usage: "",
  args: { min: 0, max: 0 },
  flags: {},
  fields: ["connection", "namespace", "masking"],
  examples: [["millrace operations list", "What runs and what ended in the last 90 days"]],
  async run({ config }) {
    const listed = await withClient(config, (client) => client.operations.list());
    const operations = listed.map((operation) => maskedOperation(operation, maskOf(config)));
    return {
      json: operations,
      text: (paint) =>
        operations.length === 0 ? "no operations\n" : table(COLUMNS, operations, paint),
    };
  },
});

export const operationsGet = command({
  name: "operations get",
  summary:
    "Show how far an operation is; with --items what exactly it is about and what became of it",
  usage: "ID",
  args: { min: 1, max: 1 },
  flags: { items: { kind: flag, about: "Each thing, with what became of it and its trace" } },
  fields: ["connection", "namespace", "masking", "tracing"],
  examples: [["millrace operations get 001795569586662-b44535c0a6 --items", "Which jobs it met"]],
  async run({ args: [id = ""], flags, config }) {
    return withClient(config, async (client) => {
      const operation = maskedOperation(await client.operations.get(id), maskOf(config));
      const items = flags.items === true ? await client.operations.items(id) : undefined;
      return {
        json: items === undefined ? operation : { ...operation, items },
        text: (paint) =>
          facts(
            COLUMNS.map(({ title, cell }) => [title, clean(cell(operation), 500)]),
            paint,
          ) +
          (items === undefined
            ? failureLines(operation, config.traceUrl, paint)
            : failureLines({ ...operation, failed: 0 }, config.traceUrl, paint) +
              `\n${itemTable(items, config.traceUrl, paint)}`),
      };
    });
  },
});

export const operationsRun = command({
  name: "operations run",
  summary: "Carry out an operation, or wait until whoever is at it has ended it or died",
  usage: "ID",
  args: { min: 1, max: 1 },
  flags: {},
  fields: ["connection", "namespace", "masking", "tracing"],
  examples: [
    ["millrace operations run 001795569586662-b44535c0a6", "What a dead terminal has left"],
  ],
  run: ({ args: [id = ""], config, io }) =>
    withClient(config, async (client) =>
      operationReport(await runHere(client, io, id), maskOf(config), config.traceUrl),
    ),
});

export const operationsUndo = command({
  name: "operations undo",
  summary: "Take an operation back, for what has not begun: reschedule, cancel, retry, discard",
  usage: "ID",
  args: { min: 1, max: 1 },
  flags: { reason: { kind: { ...text, placeholder: "<text>" }, about: "Why, for the audit" } },
  fields: ["connection", "namespace", "masking", "tracing"],
  examples: [
    ["millrace operations undo 001795569586662-b44535c0a6", "Discarded letters are there again"],
  ],
  run: ({ args: [id = ""], flags: { reason }, config, io }) =>
    withClient(config, async (client) => {
      const note = reason === undefined ? {} : { reason };
      const undo = await beginHere(io, () => client.operations.undo(id, note));
      const undone = await runHere(client, io, undo.id);
      return operationReport(undone, maskOf(config), config.traceUrl);
    }),
});

export const operationsStop = command({
  name: "operations stop",
  summary: "Let an operation end early: what has begun is finished, the rest stays as it is",
  usage: "ID",
  args: { min: 1, max: 1 },
  flags: {},
  fields: ["connection", "namespace", "masking"],
  examples: [
    ["millrace operations stop 001795569586662-b44535c0a6", "At most 20 more are changed"],
  ],
  async run({ args: [id = ""], config }) {
    const stopped = await withClient(config, (client) => client.operations.stop(id));
    const operation = maskedOperation(stopped, maskOf(config));
    return {
      json: operation,
      text: () => `operation ${operation.id} ${operation.progress.state}: ${howFar(operation)}\n`,
    };
  },
});
