import { errorCommand, MillraceError } from "@millrace/core";
import { maskText } from "@millrace/telemetry/masking";
import { loadConfigFile } from "../config/config-file.ts";
import type { Field } from "../config/field.ts";
import { FIELDS } from "../config/fields.ts";
import { type ConfigSources, readConfig } from "../config/read-config.ts";
import type { Command } from "./command.ts";
import { type CommandLine, readCommandLine } from "./command-line.ts";
import { EXIT, type ExitCode, exitCodeOf } from "./exit-codes.ts";
import { commandHelp, overview } from "./help.ts";
import type { CliIo } from "./io.ts";
import { ownVersion } from "./own-version.ts";
import { clean } from "./show/clean.ts";
import { jsonText } from "./show/json-text.ts";

/** Runs one command line. Never throws: an error is printed and becomes an exit code. */
export async function main(argv: readonly string[], io: CliIo): Promise<ExitCode> {
  try {
    const commands = await commandsFor(argv);
    return await carryOut(readCommandLine(argv, commands), commands, io);
  } catch (error) {
    printError(error, argv.includes("--json"), io);
    return exitCodeOf(error);
  }
}

/** A node is started with the code of one command: it would keep the others while it runs. */
async function commandsFor([name]: readonly string[]): Promise<readonly Command[]> {
  if (name === "run") return [(await import("./commands/run.ts")).run];
  return (await import("./command-list.ts")).COMMANDS;
}

async function carryOut(
  line: CommandLine,
  commands: readonly Command[],
  io: CliIo,
): Promise<ExitCode> {
  switch (line.kind) {
    case "help":
      io.out(
        line.command === undefined
          ? overview(commands, line.group, io.paint)
          : commandHelp(line.command, io.paint),
      );
      return EXIT.ok;
    case "version":
      io.out(`${await ownVersion()}\n`);
      return EXIT.ok;
    case "run":
      return runCommand(line, io);
  }
}

async function runCommand(
  line: Extract<CommandLine, { kind: "run" }>,
  io: CliIo,
): Promise<ExitCode> {
  const { command, args, flags, json } = line;
  const variable = io.env["MILLRACE_CONFIG"];
  const file = await loadConfigFile(
    line.configFile ?? (variable === "" ? undefined : variable),
    io.cwd,
  );
  const sources: ConfigSources = {
    given: { values: line.fields, label: (key) => `flag --${(FIELDS[key] as Field).flag}` },
    env: io.env,
    ...(file === undefined ? {} : { file }),
  };
  const config = readConfig(sources);
  if (command.serves === true) io.serves?.();
  const report = await command.run({ args, flags, config, sources, json, io });
  if (typeof report === "number") return report;
  io.out(json ? `${jsonText(report.json)}\n` : report.text(io.paint));
  return report.exitCode ?? EXIT.ok;
}

/**
 * In `--json` an error goes to stdout: a script then reads exactly one JSON document there,
 * whatever happened. A defect (an error that isn't of the family) brings its stack.
 */
function printError(error: unknown, json: boolean, io: CliIo): void {
  const known = MillraceError.is(error);
  const message = maskText(error instanceof Error ? error.message : String(error));
  if (json) io.out(`${jsonText({ error: { code: known ? error.code : "internal", message } })}\n`);
  else
    io.err(
      `${io.paintErr("red", "error")} ${known ? `${clean(message, 2_000)} (${error.code})\n  More: ${errorCommand(error.code)}` : maskText(String(error instanceof Error ? error.stack : error))}\n`,
    );
}
