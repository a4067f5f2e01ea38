import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { serversUnderTest } from "../test/harness/servers.ts";
import { missing } from "./servers/bench-servers.ts";
import { SCENARIOS } from "./scenarios/scenarios.ts";
import { contendersOf } from "./scenarios/scenario.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
const GUARDED = SCENARIOS.filter(({ guard }) => guard !== undefined).map(({ name }) => name);
const newest = serversUnderTest().find(({ generation }) => generation === "newest");
const absent = [missing("redis"), missing("postgres")].filter((reason) => reason !== undefined);

interface Report {
  readonly verdicts: readonly {
    readonly scenario: string;
    readonly results: readonly {
      readonly contender: string;
      readonly role: string;
      readonly median: { readonly heapBytesEach?: number };
    }[];
    readonly guard?: { readonly held: boolean };
  }[];
}

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** As a person runs it; an exit code is an answer. */
function bench(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return promisify(execFile)(process.execPath, [MAIN, ...args], {
    env: { ...process.env, ...env },
  }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: Error & Ended) => error,
  );
}

const reportOf = ({ stdout, stderr }: Ended): Report => {
  expect(stdout, stderr).not.toBe("");
  return JSON.parse(stdout) as Report;
};

describe.skipIf(newest?.state !== "present")("a smoke run", { timeout: 600_000 }, () => {
  test(`runs every scenario with every contender (${absent.join("; ") || "and every peer"})`, async () => {
    const others = SCENARIOS.map(({ name }) => name).filter((name) => !GUARDED.includes(name));
    const ended = await bench(["--smoke", "--json", "--only", others.join(",")]);
    expect(ended.code, ended.stderr).toBe(0);
    const { verdicts } = reportOf(ended);
    const ran = verdicts.map(({ scenario, results }) => [
      scenario,
      results.map(({ contender }) => contender),
    ]);
    expect(ran).toEqual(
      SCENARIOS.filter(({ name }) => others.includes(name)).map((scenario) => [
        scenario.name,
        contendersOf(scenario)
          .filter(({ server = "nats" }) => missing(server) === undefined)
          .map(({ name }) => name),
      ]),
    );
  });

  test("holds Millrace's jobs to their price, and fails when they allocate a fifth more", async () => {
    const args = ["--smoke", "--json", "--only", GUARDED.join(",")];
    const asItIs = await bench(args);
    expect(asItIs.code, asItIs.stderr).toBe(0);
    for (const { scenario, results } of reportOf(asItIs).verdicts) {
      const price = results.find(({ role }) => role === "subject")?.median.heapBytesEach ?? 0;
      const dearer = await bench(["--smoke", "--json", "--no-peers", "--only", scenario], {
        MILLRACE_BENCH_WASTE_BYTES: String(Math.ceil(price / 5)),
      });
      expect(dearer.stderr).toContain(`${scenario}: a job allocates`);
      expect(dearer.stderr).toContain("THE GUARD IS BROKEN");
      expect(dearer.code).toBe(1);
    }
  });
});

test("a mistake is said, with exit code 2", { timeout: 60_000 }, async () => {
  expect(await bench(["--only", "proces"])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^bench: no scenario is called "proces".*bench-usage/),
  });
});
