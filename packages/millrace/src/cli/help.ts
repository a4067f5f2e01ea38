import type { Field } from "../config/field.ts";
import { FIELDS, type FieldKey } from "../config/fields.ts";
import type { Command } from "./command.ts";
import { fieldsOf } from "./command-line.ts";
import type { Paint } from "./io.ts";

/** `millrace --help`, or the help of one group: `millrace dead --help`. */
export function overview(
  commands: readonly Command[],
  group: string | undefined,
  paint: Paint,
): string {
  const shown =
    group === undefined ? commands : commands.filter(({ name }) => name.startsWith(`${group} `));
  const rows = shown.map(({ name, usage, summary }): Row => [
    `millrace ${name}${usage === "" ? "" : ` ${usage}`}`,
    summary,
  ]);
  return [
    ...(group === undefined ? ["Millrace: a distributed job runtime on NATS JetStream.", ""] : []),
    paint("bold", "Commands"),
    ...columns(rows),
    "",
    "millrace COMMAND --help says more, with examples. Exit codes: 0 done, 1 failed or not found, 2 wrong usage, 3 no usable server.",
    "",
  ].join("\n");
}

/** The help of one command. */
export function commandHelp(command: Command, paint: Paint): string {
  const own = Object.entries(command.flags).map(([name, { kind, about }]): Row => [
    flagText(name, kind.placeholder),
    about,
  ]);
  const fields = fieldsOf(command.fields).map(fieldRow);
  return [
    `${paint("bold", `millrace ${command.name}`)}${command.usage === "" ? "" : ` ${command.usage}`} [flags]`,
    "",
    `${command.summary}.`,
    "",
    paint("bold", command.examples.length === 1 ? "Example" : "Examples"),
    ...command.examples.flatMap(([line, what]) => [`  ${paint("dim", `# ${what}`)}`, `  ${line}`]),
    "",
    paint("bold", "Flags"),
    ...columns([
      ...own,
      ["--json", "Print one JSON document on stdout; errors too, as {error: {code, message}}"],
      ["--help", "Print this"],
    ]),
    ...(fields.length === 0
      ? []
      : [
          "",
          paint("bold", "Configuration (flag, else environment, else file, else default)"),
          ...columns([...fields, CONFIG_ROW]),
        ]),
    "",
  ].join("\n");
}

type Row = readonly [left: string, right: string];

const CONFIG_ROW: Row = [
  "--config <file>",
  "Configuration file; default millrace.config.ts, .js, .mjs or .json [MILLRACE_CONFIG]",
];

function fieldRow(key: FieldKey): Row {
  const field = FIELDS[key] as Field;
  const standard =
    field.default === undefined ? "" : ` (default ${field.kind.show(field.default)})`;
  return [
    flagText(field.flag ?? "", field.kind.placeholder),
    `${field.about.replace(/\.$/, "")}${standard} [${field.env.join(", ")}]`,
  ];
}

function flagText(name: string, placeholder: string | undefined): string {
  return placeholder === undefined ? `--${name}` : `--${name} ${placeholder}`;
}

function columns(rows: readonly Row[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
