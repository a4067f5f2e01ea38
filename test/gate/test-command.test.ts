import { join, resolve } from "node:path";
import { expect, it } from "vitest";
import { type ChildExit, startChild } from "../harness/child.ts";

const ROOT = resolve(import.meta.dirname, "../..");

/** Runs what `npm test` runs, over the fixtures beside this file. */
async function testCommand(filter: string): Promise<{ exit: ChildExit; lines: readonly string[] }> {
  const child = startChild(join(ROOT, "scripts/test.mjs"), {
    args: [filter, "--config", "test/gate/fixtures/vitest.config.ts"],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  });
  return { exit: await child.exit(90_000), lines: child.output() };
}

it("closes with the counts, each skip with its reason before them, and fails when a test failed", async () => {
  const { exit, lines } = await testCommand("mixed");
  expect(lines.slice(-3)).toEqual(["1 skipped:", "  1 × for a reason", "1 passed, 1 failed"]);
  expect(exit.code).toBe(1);
});

it("counts a file that cannot be loaded as a failure", async () => {
  const { exit, lines } = await testCommand("broken");
  expect([lines.at(-1), exit.code]).toEqual(["0 passed, 1 failed", 1]);
});

it("fails when no test ran", async () => {
  const { exit, lines } = await testCommand("no-such-file");
  expect([lines.at(-1), exit.code]).toEqual(["0 passed, 1 failed", 1]);
});
