import { explainConfig, type ConfigEntry } from "../../config/explain-config.ts";
import type { Field } from "../../config/field.ts";
import { FIELD_KEYS, FIELDS } from "../../config/fields.ts";
import { command } from "../command.ts";
import { type Column, table } from "../show/table.ts";

const COLUMNS: readonly Column<ConfigEntry>[] = [
  { title: "FIELD", cell: ({ field }) => field },
  { title: "VALUE", cell: valueOf },
  { title: "FROM", cell: ({ source }) => source },
];

export const configPrint = command({
  name: "config print",
  summary: "Print the configuration that a command would have here, and where each value came from",
  usage: "",
  args: { min: 0, max: 0 },
  flags: {},
  fields: [...new Set(FIELD_KEYS.map((key) => FIELDS[key].group))],
  examples: [
    ["millrace config print", "What counts here, with secrets hidden"],
    ["MILLRACE_SLOTS=4 millrace config print --json", "For a script"],
  ],
  run({ config, sources }) {
    const entries = explainConfig(config, sources);
    return Promise.resolve({
      json: Object.fromEntries(
        entries.map(({ field, value, source }) => [field, { value, source }]),
      ),
      text: (paint) => table(COLUMNS, entries, paint),
    });
  },
});

function valueOf({ field, value }: ConfigEntry): string {
  if (value === null) return "-";
  const { kind, secret }: Field = FIELDS[field];
  // What is hidden is no value of the field's kind any more.
  if (secret !== undefined) return Array.isArray(value) ? value.join(",") : String(value);
  return kind.show(value);
}
