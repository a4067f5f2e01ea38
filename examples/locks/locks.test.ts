import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startChild } from "../../test/harness/child.ts";
import { describeServer } from "../../test/harness/servers.ts";
import { Totals } from "./totals.ts";

let dir: string;
beforeEach(async () => void (dir = await mkdtemp(join(tmpdir(), "millrace-totals-"))));
afterEach(() => rm(dir, { recursive: true }));

describeServer("processes that add up under one lock", "newest", (server) => {
  test("each write once, one after the other", async () => {
    const file = join(dir, "totals.sqlite");
    const env = { MILLRACE_SERVER: server.url, MILLRACE_NAMESPACE: server.namespace() };
    const programs = Array.from({ length: 3 }, () =>
      startChild(join(import.meta.dirname, "main.ts"), { args: [file], env }),
    );
    for (const program of programs)
      expect(await program.exit(90_000), program.output().join("\n")).toMatchObject({ code: 0 });
    using totals = new Totals(file);
    expect(totals.read("2030-01")).toEqual({ cents: 600, runs: 3 });
  });
});

test("a holder that comes late is refused by its token", () => {
  using totals = new Totals(join(dir, "totals.sqlite"));
  totals.claim("2030-01", 7);
  totals.claim("2030-01", 9);
  expect(() => totals.write("2030-01", 600, 7)).toThrow("token 7 is stale");
  expect(() => totals.claim("2030-01", 7)).toThrow("a later holder than 7");
  totals.write("2030-01", 600, 9);
  expect(totals.read("2030-01")).toEqual({ cents: 600, runs: 1 });
});
