import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ExecutionRecord } from "millrace/telemetry";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { millraceHere, startMillrace } from "../cli/millrace.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { postgresMissing, startPostgres } from "../harness/postgres.ts";
import { describeEachServer } from "../harness/servers.ts";

const noPostgres = postgresMissing();
const JOBS = fileURLToPath(new URL("../cli/jobs.ts", import.meta.url));

describeEachServer("millrace records", (server) => {
  let dir: string;
  let env: Record<string, string>;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "millrace-records-"));
    cleanUpLater(() => rm(dir, { recursive: true }));
    env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: server.namespace() };
  });

  async function find(...args: string[]): Promise<readonly ExecutionRecord[]> {
    const result = await millraceHere(["records", "--json", ...args], { env });
    expect(result).toMatchObject({ code: 0, err: "" });
    return result.json<ExecutionRecord[]>();
  }

  test("what a node ran is found in its files after it has stopped, and in the history of the server", async () => {
    const node = startMillrace(
      [
        "run",
        JOBS,
        ...["--health-port", "0", "--json", "--records-dir", dir],
        ...["--records-sqlite", join(dir, "records.db")],
      ],
      env,
    );
    await node.line(/"healthUrl"/, 90_000);
    for (const [name, id] of [
      ["double", "d1"],
      ["broken", "b1"],
    ] as const)
      await millraceHere(
        ["enqueue", name, '{"n":21,"password":"x"}', "--queue", "work", "--id", id],
        {
          env,
        },
      );
    await eventually(
      async () => ((await find("--from", "history")).length === 2 ? true : undefined),
      { withinMs: 20_000, describe: "both jobs are in the history" },
    );
    node.signal("SIGTERM");
    expect((await node.exit(90_000)).code).toBe(0);

    const kept = await find("--records-dir", dir);
    expect(kept.map(({ id }) => id).toSorted()).toEqual(["b1", "d1"]);
    expect(await find("--records-dir", dir, "--id", "d1")).toEqual([
      expect.objectContaining({
        id: "d1",
        name: "double",
        queue: "work",
        attempt: 1,
        outcome: "succeeded",
        payload: { n: 21, password: "***" },
        output: { doubled: 42, token: "***" },
      }),
    ]);
    expect(await find("--records-dir", dir, "--outcome", "failed", "--since", "1h")).toMatchObject([
      { id: "b1", state: "dead", reason: "fatal", error: { message: "broken beyond repair" } },
    ]);
    expect(await find("--records-sqlite", join(dir, "records.db"), "--id", "d1")).toEqual(
      await find("--records-dir", dir, "--id", "d1"),
    );
    expect(await find("--records-dir", dir, "--queue", "other")).toEqual([]);
    expect(await find("--from", "history", "--name", "double")).toMatchObject([
      { id: "d1", attempt: 1, output: { token: "***" } },
    ]);
    const shown = await millraceHere(["records", "--records-dir", dir], { env });
    expect(shown.out).toMatch(/^AT +ID +NAME/);
    expect(shown.out).toContain("broken beyond repair");
  });

  test.skipIf(noPostgres !== undefined)(
    `what a node ran is found in PostgreSQL, by name or because it is configured, and its absence is said${noPostgres === undefined ? "" : ` (skipped: ${noPostgres})`}`,
    async () => {
      const postgres = await startPostgres();
      onTestFinished(() => postgres.remove());
      Object.assign(env, { MILLRACE_RECORDS_POSTGRES: postgres.url });
      const node = startMillrace(["run", JOBS, "--health-port", "0", "--json"], env);
      await node.line(/"healthUrl"/, 90_000);
      const payload = '{"n":21,"password":"x"}';
      const enqueue = ["enqueue", "double", payload, "--queue", "work", "--id", "d1"];
      await millraceHere(enqueue, { env });
      const kept = await eventually(
        async () => {
          const records = await find("--from", "postgres");
          return records.length === 1 ? records : undefined;
        },
        { withinMs: 20_000, describe: "the record is in PostgreSQL" },
      );
      expect(kept).toMatchObject([
        { id: "d1", attempt: 1, outcome: "succeeded", payload: { n: 21, password: "***" } },
      ]);
      expect(await find("--outcome", "succeeded", "--since", "1h")).toEqual(kept);
      expect(await find("--from", "postgres", "--queue", "other")).toEqual([]);
      node.signal("SIGTERM");
      expect((await node.exit(90_000)).code).toBe(0);

      await postgres.kill();
      const refused = await millraceHere(["records", "--json"], { env });
      expect(refused).toMatchObject({ code: 1 });
      expect(refused.json()).toMatchObject({ error: { code: "record-store-failed" } });
    },
  );

  test("who shows records may know more secrets than the node that kept them, and lines that are none are passed over", async () => {
    const kept = {
      ...{ recordId: "r", id: "a", name: "mail", queue: "mail", attempt: 1, node: "n" },
      ...{ state: "dead", outcome: "buried", at: 1_000, reason: "of EMP-123", tags: ["EMP-123"] },
      ...{ payload: { iban: "DE02", token: "x" }, output: { to: "EMP-123" } },
      error: { type: "Error", message: "no EMP-123" },
    };
    const foreign = [{ at: 1e300 }, { error: null }, { tags: "vip" }, { durationMs: "abc" }];
    const lines = [kept, { id: "a", at: 1 }, ...foreign.map((field) => ({ ...kept, ...field }))];
    await writeFile(
      join(dir, "executions-2031-01-01T00-00-00-000Z-0a0b0c0d.ndjson"),
      lines.map((line) => `${JSON.stringify(line)}\n`).join(""),
    );
    Object.assign(env, { MILLRACE_MASK_KEYS: "iban", MILLRACE_MASK_PATTERNS: "EMP-\\d+" });
    expect(await find("--records-dir", dir, "--outcome", "buried")).toEqual([
      {
        ...kept,
        ...{ reason: "of ***", tags: ["***"], payload: { iban: "***", token: "***" } },
        ...{ output: { to: "***" }, error: { type: "Error", message: "no ***" } },
      },
    ]);
    const shown = await millraceHere(["records", "--records-dir", dir], { env });
    expect(shown).toMatchObject({ code: 0, err: "" });
    expect(shown.out).not.toContain("EMP-123");
  });

  test("a place that is not configured is refused", async () => {
    const refused = await millraceHere(["records", "--from", "file", "--json"], { env });
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.json()).toMatchObject({ error: { code: "invalid-option" } });
  });
});
