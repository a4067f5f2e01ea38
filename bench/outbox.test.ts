import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { serversUnderTest } from "../test/harness/servers.ts";
import { missing } from "./servers/bench-servers.ts";

const OUTBOX = fileURLToPath(new URL("./outbox.ts", import.meta.url));
const newest = serversUnderTest().find(({ generation }) => generation === "newest");
const absent = missing("postgres");

test.skipIf(newest?.state !== "present" || absent !== undefined)(
  `a smoke run of the outbox has a figure for each system (${absent ?? "PostgreSQL is here"})`,
  { timeout: 300_000 },
  async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [OUTBOX, "--smoke"]);
    const names = (pattern: RegExp): readonly (string | undefined)[] =>
      [...stdout.matchAll(pattern)].map(([, name]) => name);
    expect(names(/^\d+ \(\d+–\d+\) transactions a second .*%: (.*)$/gm)).toEqual([
      "no job",
      "Millrace, relay busy (no NOTIFY)",
      "Millrace, relay idle (NOTIFY)",
      "pg-boss",
      "Graphile Worker",
    ]);
    expect(stdout).toMatch(/^NOTIFY takes -?\d+ % of the transactions$/m);
    expect(names(/^commit to handler, (.*): p50 [\d.]+ ms, p99 [\d.]+ ms$/gm)).toEqual(
      ["Millrace, relay idle (NOTIFY)", "pg-boss", "Graphile Worker"].flatMap((name) =>
        ["20", "300"].map((gap) => `${name}, one every ${gap} ms`),
      ),
    );
    expect(stdout).toMatch(/^\d+ \(\d+–\d+\) rows a second by one relay from a backlog of \d+$/m);
  },
);
