import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { usageMissing } from "./scale/process-usage.ts";

const MAIN = fileURLToPath(new URL("./dashboard.ts", import.meta.url));

const missing = usageMissing();
const reason = missing === undefined ? "" : ` (${missing})`;
const title = `the dashboard's first page, searches, memory and what open pages cost are measured${reason}`;

test.skipIf(missing !== undefined)(
  title,
  async () => {
    const few = ["--jobs", "600", "--waiting", "20", "--rounds", "1", "--round", "200"];
    const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...few, "--first", "2"], {
      timeout: 280_000,
    });
    expect(stdout).toMatch(/^600 jobs in the history and 20 waiting, made in \d+ s$/m);
    expect(stdout).toMatch(
      /^the index had read all \d+ s later: 620 jobs, \d+ MB, 0 came too fast to be heard$/m,
    );
    expect(stdout).toMatch(/^first page, 2 times: p50 \d+ ms, p95 \d+ ms/m);
    const opened = [...stdout.matchAll(/^(.+) in Chromium, 2 times: p50 \d+ ms, p95 \d+ ms/gm)];
    if (!stdout.includes("\npages in Chromium: not measured ("))
      expect(opened.map(([, name]) => name)).toEqual([
        ...["first page", "page of a queue", "list of jobs", "list of jobs by payload"],
        "list of errors",
      ]);
    expect(stdout).toMatch(/^search, 200 different ones: p50 \d+ ms, p95 \d+ ms/m);
    expect(stdout).toMatch(/^the fleet's throughput with 3 pages open, .*: [\d.]+ \(/m);
    expect(stdout).toMatch(/^processor time a job, of server, node and dashboard, .*: [\d.]+ \(/m);
    expect(stdout).toMatch(/^memory of the dashboard: \d+ MB at most$/m);
  },
  300_000,
);
