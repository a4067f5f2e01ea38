import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const PROGRAM = fileURLToPath(new URL("./tune-engine.fixture.ts", import.meta.url));
/** V8 says so of each place in the code it judges. */
const GUESS = /pretenuring: AllocationSite/;

const run = (...args: readonly string[]): Promise<{ stdout: string; stderr: string }> =>
  promisify(execFile)(process.execPath, ["--trace-pretenuring-statistics", PROGRAM, ...args], {
    maxBuffer: 2 ** 26,
  });

test("V8 guesses no more which objects live long, and knows the flag", async () => {
  const [asItIs, tuned] = await Promise.all([run(), run("tuned")]);
  expect(asItIs.stdout).toMatch(GUESS);
  expect(tuned.stdout).not.toMatch(GUESS);
  expect(tuned.stdout).toContain("kept 1000000");
  expect(tuned.stderr).toBe("");
});
