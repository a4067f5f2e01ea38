import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const PROGRAM = fileURLToPath(new URL("./bound-young-generation.fixture.ts", import.meta.url));

async function most(mostMb: number): Promise<number> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [PROGRAM, `${mostMb}`]);
  expect(stderr).toBe("");
  return Number(stdout);
}

test("the young generation of a process that allocates much stays as small as it is told", async () => {
  const [asItIs, bounded] = await Promise.all([most(0), most(32)]);
  expect(asItIs).toBeGreaterThan(32);
  expect(bounded).toBeGreaterThan(0);
  expect(bounded).toBeLessThanOrEqual(32);
});
