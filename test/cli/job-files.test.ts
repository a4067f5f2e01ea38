import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { millrace } from "./millrace.ts";

// In a process of its own: what imports a file here is vitest, which has other errors.
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(import.meta.dirname, ".job-files-"));
  await writeFile(join(dir, "jobs.ts"), "export const n = 1;");
});
afterEach(() => rm(dir, { recursive: true }));

test.each([
  ["enum.ts", "\nenum Kind { A }", /not supported.*\(at .*enum\.ts:2\)/],
  ["syntax.ts", "\nconst = 1;", /Unexpected token.*\(at .*syntax\.ts:2\)/],
  ["name.ts", '\nimport { x } from "./jobs.ts";', /named 'x' \(at .*name\.ts:2\)/],
  ["throws.ts", "\nthrow new TypeError('broken');", /TypeError: broken \(at .*throws\.ts:2:7\)/],
  ["bare.ts", 'import "./jobs";', /Beside it is jobs\.ts/],
  ["js.ts", 'import "./jobs.js";', /Beside it is jobs\.ts/],
  ["gone.ts", 'import "./nowhere.js";', /Check the path/],
])("%s is refused with the line to look at, and with none of Node's", async (name, text, told) => {
  await writeFile(join(dir, name), text);
  const { code, err } = await millrace(["run", name], { cwd: dir });
  expect(err).toMatch(told);
  expect(err).not.toMatch(/node:internal|\(at \/modules/);
  expect(code).toBe(2);
});
