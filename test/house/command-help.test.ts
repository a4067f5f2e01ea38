import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { runCommand } from "../packaging/run-command.ts";

const ROOT = resolve(import.meta.dirname, "../..");
/** They take no options. `check` and `audit` have one that says all: `--required`. */
const PLAIN: ReadonlySet<string> = new Set([
  ...["check", "audit", "boundaries", "build", "packages"],
  ...["docs", "site", "site:versions"],
]);
/** Gives what it does not know to vitest. */
const PASSES_ON: ReadonlySet<string> = new Set(["test", "test:long"]);

const { scripts } = JSON.parse(await readFile(resolve(ROOT, "package.json"), "utf8")) as {
  readonly scripts: Readonly<Record<string, string>>;
};
const commands = Object.entries(scripts).flatMap(([name, line]) => {
  const [program, ...args] = line.split(" ");
  return program === "node" && !PLAIN.has(name) ? [{ name, args }] : [];
});
const others = [
  { name: "bench/outbox.ts", args: ["bench/outbox.ts"] },
  { name: "release", args: ["scripts/release.mjs"] },
];

test("there are commands", () => expect(commands.length).toBeGreaterThan(8));

test.for([...commands, ...others])("$name says what it can be called with", async ({ args }) => {
  const { code, output } = await runCommand([process.execPath, ...args, "--help"], ROOT);
  expect([code, output]).toEqual([0, expect.stringMatching(/\[options\]|\[--/)]);
});

test.for([...commands, ...others].filter(({ name }) => !PASSES_ON.has(name)))(
  "$name says which option it does not know, and does nothing",
  async ({ args }) => {
    const { code, output } = await runCommand([process.execPath, ...args, "--no-such-one"], ROOT);
    expect([code, output]).toEqual([2, expect.stringContaining("--no-such-one")]);
    expect(output).not.toContain("    at ");
  },
);
