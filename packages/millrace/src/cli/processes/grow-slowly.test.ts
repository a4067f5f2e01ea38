import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const PROGRAM = fileURLToPath(new URL("./grow-slowly.fixture.ts", import.meta.url));

async function most(how: "slowly" | "as it is"): Promise<number> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [PROGRAM, how]);
  expect(stderr).toBe("");
  return Number(stdout);
}

test("the heap of a process that keeps what it makes for a moment stays smaller", async () => {
  // One after the other: by how much a heap grows goes by how fast its collector is, and two at
  // once take each other's processor.
  const [asItIs, slowly] = [await most("as it is"), await most("slowly")];
  expect(slowly).toBeGreaterThan(0);
  expect(slowly).toBeLessThan(asItIs * 0.9);
});
