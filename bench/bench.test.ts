import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { serversUnderTest } from "../test/harness/servers.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
const SCENARIOS = [
  "enqueue-bulk",
  "enqueue-single",
  "process",
  "pickup",
  "delayed",
  "cancel",
  "capped",
  "rated",
  "capped-by-key",
  "rated-by-key",
  "unique",
  "traced",
  "recorded",
];
/** A guard against halving the speed by accident; so few jobs on a busy machine say no more than that. */
const FAR_BELOW = 0.05;

const newest = serversUnderTest().find(({ generation }) => generation === "newest");

test.skipIf(newest?.state !== "present")(
  "every scenario runs with few jobs, counts them all, and is not far below the bare client",
  { timeout: 300_000 },
  async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [MAIN, "--smoke", "--json"]);
    const { verdicts } = JSON.parse(stdout) as {
      verdicts: {
        scenario: string;
        results: { contender: string; role: string; ofLimit: number }[];
      }[];
    };
    expect(verdicts.map(({ scenario }) => scenario)).toEqual(SCENARIOS);
    for (const { results } of verdicts) {
      expect(results.map(({ role }) => role).slice(0, 2)).toEqual(["limit", "subject"]);
      for (const { role, ofLimit } of results)
        if (role !== "peer") expect(ofLimit).toBeGreaterThan(FAR_BELOW);
    }
  },
);
