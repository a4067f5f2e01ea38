import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { missing } from "./servers/bench-servers.ts";

const MAIN = fileURLToPath(new URL("./steps/main.ts", import.meta.url));

test("steps are measured beside the bare loop and DBOS", async () => {
  const few = ["--jobs", "10", "--steps", "5", "--rounds", "1"];
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...few], {
    timeout: 280_000,
  });
  const names = ["bare publish with compare", "Millrace"];
  if (missing("postgres") === undefined) names.push("DBOS");
  for (const name of names)
    expect(stdout).toMatch(
      new RegExp(`^${name}: [\\d,]+ steps a second; .* p50 [\\d.]+ ms, p99 [\\d.]+ ms$`, "m"),
    );
  expect(stdout).toMatch(/^Millrace: [\d.]+ of the bare loop's rate$/m);
  const [, share] = /^a job without steps: .*, ([\d.]+) %$/m.exec(stdout) ?? [];
  expect(Number(share)).toBeLessThan(1);
}, 300_000);
