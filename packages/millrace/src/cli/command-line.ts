import { parseArgs, type ParseArgsConfig } from "node:util";
import { MillraceError, nearest } from "@millrace/core";
import type { FieldGroup, Field } from "../config/field.ts";
import { FIELD_KEYS, type FieldKey, FIELDS } from "../config/fields.ts";
import type { Command } from "./command.ts";
import { nearestCommand } from "./nearest-command.ts";

export type CommandLine =
  | {
      readonly kind: "help";
      readonly command: Command | undefined;
      readonly group: string | undefined;
    }
  | { readonly kind: "version" }
  | {
      readonly kind: "run";
      readonly command: Command;
      readonly args: readonly string[];
      /** The command's own flags, parsed. */
      readonly flags: Readonly<Record<string, unknown>>;
      /** The configuration's flags, raw: the configuration parses them beside its other sources. */
      readonly fields: Readonly<Partial<Record<FieldKey, unknown>>>;
      readonly json: boolean;
      readonly configFile: string | undefined;
    };

const EVERYWHERE = {
  json: { type: "boolean" },
  config: { type: "string" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "v" },
} as const satisfies ParseArgsConfig["options"];

/**
 * What a command line asks for.
 *
 * @throws MillraceError `invalid-option`, saying what is wrong and where to read more
 */
export function readCommandLine(
  argv: readonly string[],
  commands: readonly Command[],
): CommandLine {
  const words = leadingWords(argv);
  const found = findCommand(words, commands);
  if (found === undefined) return withoutCommand(argv, words, commands);
  const { command, depth } = found;
  const { values, positionals } = parse(argv, command);
  if (values["help"] === true) return { kind: "help", command, group: undefined };
  if (values["version"] === true) return { kind: "version" };
  const args = positionals.slice(depth);
  checkCount(command, args, depth === 1 ? nearestCommand(words, commands) : undefined);
  return {
    kind: "run",
    command,
    args,
    flags: ownFlags(command, values),
    fields: fieldFlags(command, values),
    json: values["json"] === true,
    configFile: values["config"] as string | undefined,
  };
}

/** The words before the first flag: a command's name comes first. */
function leadingWords(argv: readonly string[]): readonly string[] {
  const end = argv.findIndex((word) => word.startsWith("-"));
  return end < 0 ? argv : argv.slice(0, end);
}

function findCommand(
  words: readonly string[],
  commands: readonly Command[],
): { command: Command; depth: number } | undefined {
  for (const depth of [2, 1]) {
    if (words.length < depth) continue;
    const name = words.slice(0, depth).join(" ");
    const command = commands.find((candidate) => candidate.name === name);
    if (command !== undefined) return { command, depth };
  }
  return undefined;
}

function withoutCommand(
  argv: readonly string[],
  words: readonly string[],
  commands: readonly Command[],
): CommandLine {
  const [first] = words;
  const group = groupOf(first, commands);
  const asksForHelp =
    argv.length === 0 || first === "help" || argv.includes("--help") || argv.includes("-h");
  if (first === "help" && words.length > 1) return helpAbout(words.slice(1), commands);
  if (asksForHelp && (first === undefined || first === "help" || group !== undefined))
    return { kind: "help", command: undefined, group };
  if (first === undefined && (argv.includes("--version") || argv.includes("-v")))
    return { kind: "version" };
  if (first === undefined)
    throw usage(`The command comes first; got ${JSON.stringify(argv[0])}. See millrace --help.`);
  if (group !== undefined) {
    const choices = commands
      .filter(({ name }) => name.startsWith(`${group} `))
      .map(({ name }) => name);
    throw usage(
      `millrace ${group} needs one of: ${choices.join(", ")}.${meantBy(nearestCommand(words, commands))}`,
    );
  }
  throw noCommand(words, commands);
}

function helpAbout(words: readonly string[], commands: readonly Command[]): CommandLine {
  const command = findCommand(words, commands)?.command;
  const group = groupOf(words[0], commands);
  if (command === undefined && group === undefined) throw noCommand(words, commands);
  return { kind: "help", command, group };
}

function groupOf(first: string | undefined, commands: readonly Command[]): string | undefined {
  return commands.some(({ name }) => name.startsWith(`${first} `)) ? first : undefined;
}

function noCommand(words: readonly string[], commands: readonly Command[]): MillraceError {
  const meant = meantBy(nearestCommand(words, commands));
  return usage(`There is no command ${JSON.stringify(words[0])}.${meant} See millrace --help.`);
}

function meantBy(name: string | undefined): string {
  return name === undefined ? "" : ` Did you mean ${name}?`;
}

function parse(
  argv: readonly string[],
  command: Command,
): { values: Readonly<Record<string, unknown>>; positionals: readonly string[] } {
  const options = parserOptions(command);
  try {
    return parseArgs({
      args: [...argv],
      options,
      allowPositionals: true,
      strict: true,
    });
  } catch (error) {
    // Its messages name the flag and say how to write it; they never quote another flag's value.
    const [first = ""] = (error instanceof Error ? error.message : String(error)).split(". ");
    const meant = meantBy(nearestFlag(first, argv, Object.keys(options)));
    throw usage(`${first.replace(/\.$/, "")}.${meant} See millrace ${command.name} --help.`);
  }
}

/** Of a long flag with one dash the parser names the first letter alone. */
function nearestFlag(
  problem: string,
  argv: readonly string[],
  names: readonly string[],
): string | undefined {
  const unknown = /^Unknown option '([^']+)'/.exec(problem)?.[1];
  const typed = argv.find((word) => unknown !== undefined && word.startsWith(unknown));
  if (typed === undefined) return undefined;
  const meant = nearest(typed.replace(/^-+|=.*$/gs, ""), names);
  return meant === undefined ? undefined : `--${meant}`;
}

function parserOptions(command: Command): NonNullable<ParseArgsConfig["options"]> {
  const options: NonNullable<ParseArgsConfig["options"]> = { ...EVERYWHERE };
  for (const [name, { kind }] of Object.entries(command.flags)) {
    options[name] = { type: kind.placeholder === undefined ? "boolean" : "string" };
  }
  for (const key of fieldsOf(command.fields)) {
    const field = FIELDS[key] as Field;
    if (field.flag !== undefined)
      options[field.flag] = { type: field.kind.placeholder === undefined ? "boolean" : "string" };
  }
  return options;
}

/** The fields that have a flag in these groups, in the table's order. */
export function fieldsOf(groups: readonly FieldGroup[]): readonly FieldKey[] {
  return FIELD_KEYS.filter(
    (key) => groups.includes(FIELDS[key].group) && (FIELDS[key] as Field).flag !== undefined,
  );
}

function ownFlags(
  command: Command,
  values: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const flags: Record<string, unknown> = {};
  for (const [name, { kind }] of Object.entries(command.flags)) {
    const raw = values[name];
    if (raw === undefined) continue;
    try {
      flags[name] = kind.parse(raw);
    } catch (cause) {
      if (MillraceError.is(cause))
        throw new MillraceError(cause.code, `--${name}: ${cause.message}`);
      throw usage(
        `--${name}: ${cause instanceof Error ? cause.message : String(cause)}; got ${JSON.stringify(raw)}.`,
      );
    }
  }
  return flags;
}

function fieldFlags(
  command: Command,
  values: Readonly<Record<string, unknown>>,
): Readonly<Partial<Record<FieldKey, unknown>>> {
  const fields: Partial<Record<FieldKey, unknown>> = {};
  for (const key of fieldsOf(command.fields)) {
    const raw = values[(FIELDS[key] as Field).flag ?? ""];
    if (raw !== undefined) fields[key] = raw;
  }
  return fields;
}

function checkCount(
  { name, usage: shape, args: { min, max } }: Command,
  args: readonly string[],
  meant: string | undefined,
): void {
  if (args.length < min)
    throw usage(`millrace ${name} needs ${shape}. See millrace ${name} --help.`);
  if (args.length > max)
    throw usage(
      `millrace ${name} takes ${shape === "" ? "no arguments" : shape}; got ${args.length}.${meantBy(meant) || " Quote a JSON payload."}`,
    );
}

function usage(message: string): MillraceError {
  return new MillraceError("invalid-option", message);
}
