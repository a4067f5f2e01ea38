// Node 22 prints a warning where its SQLite is loaded, of which Node 24 says nothing.
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { obtained } from "../packaging/obtained-program.ts";
import { runCommand } from "../packaging/run-command.ts";

const oldest = await obtained("node", "22.18.0");
const QUIET = new URL("../../packages/millrace/src/quiet-sqlite.ts", import.meta.url);

const program = (first: string): readonly string[] => [
  oldest.path,
  ...["--input-type=module", "--eval"],
  `${first}
   await import("node:sqlite");
   process.emitWarning("glass is new", "ExperimentalWarning");
   process.emitWarning("SQLite is an experimental feature of ours");`,
];

test.skipIf(oldest.why !== "")(
  `a command prints no warning of Node's about its SQLite, and all others${oldest.why}`,
  async () => {
    const loud = await runCommand(program(""), tmpdir());
    expect(loud.output).toContain("ExperimentalWarning: SQLite");
    const quiet = `const { quietSqlite } = await import(${JSON.stringify(fileURLToPath(QUIET))}); quietSqlite();`;
    const { code, output } = await runCommand(program(quiet), tmpdir());
    expect(code).toBe(0);
    expect(output).not.toContain("ExperimentalWarning: SQLite");
    expect(output).toContain("ExperimentalWarning: glass is new");
    expect(output).toContain("Warning: SQLite is an experimental feature of ours");
  },
  120_000,
);
