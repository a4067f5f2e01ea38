import { expect, test } from "vitest";
import { COMMANDS } from "./command-list.ts";
import { readCommandLine } from "./command-line.ts";
import { commandHelp, overview } from "./help.ts";
import { plain } from "./io.ts";

test("the overview names every command; a group's only its own", () => {
  for (const { name } of COMMANDS)
    expect(overview(COMMANDS, undefined, plain)).toContain(`millrace ${name}`);
  expect(overview(COMMANDS, "dead", plain)).not.toContain("millrace enqueue");
});

test.each(COMMANDS.map((command) => [command.name, command] as const))(
  "%s: help has an example and every flag",
  (_name, command) => {
    const help = commandHelp(command, plain);
    expect(help).toContain("Example");
    for (const flag of Object.keys(command.flags)) expect(help).toContain(`--${flag}`);
    expect(help).toContain("--json");
  },
);

/** Splits as a shell does where there are only single quotes. */
function words(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? "");
}

test.each(
  COMMANDS.flatMap(({ name, examples }) => examples.map(([line]) => [line, name] as const)),
)("the example %s is a command line that is understood", (line, name) => {
  const argv = words(line.replace(/ > .*$/, ""));
  const read = readCommandLine(argv.slice(argv.indexOf("millrace") + 1), COMMANDS);
  expect(read.kind === "run" ? read.command.name : read.kind).toBe(name);
});
