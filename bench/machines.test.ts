import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const MAIN = fileURLToPath(new URL("./machines.ts", import.meta.url));

test("machines at rest, transitions and timers are measured", async () => {
  const few = ["--rest", "20", "--events", "200", "--timers", "5"];
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...few], {
    timeout: 280_000,
  });
  expect(stdout).toMatch(
    /^20 machines at rest: started at [\d,]+ a second, .* page of 20 in \d+ ms$/m,
  );
  expect(stdout).toMatch(/^200 transitions of 100 machines: [\d,]+ a second; bare .* a second$/m);
  expect(stdout).toMatch(/^send to stored, one at a time: p50 [\d.]+ ms, p99 [\d.]+ ms/m);
  expect(stdout).toMatch(
    /^126 documents of machines and charts take \d+ MB of disk; .* was read after \d+ ms$/m,
  );
  expect(stdout).toMatch(/^5 timers due at one time, each fired once; late by: p50 /m);
}, 300_000);
