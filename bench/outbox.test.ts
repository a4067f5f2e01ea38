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
    const told = [
      ...stdout.matchAll(/^\d+ transactions a second by four writers, in each: (.*)$/gm),
    ];
    expect(told.map(([, name]) => name)).toEqual([
      "no job",
      "Millrace, its relay busy (no NOTIFY)",
      "Millrace, its relay idle (NOTIFY)",
      "pg-boss",
      "Graphile Worker",
    ]);
    expect(stdout).toMatch(/^\d+ rows a second by one relay/m);
    expect(stdout).toMatch(/^commit to handler, .*: p50 [\d.]+ ms, p99 [\d.]+ ms$/m);
  },
);
