import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePort } from "@millrace/nats-server";
import { defineJob } from "@millrace/core";
import { beforeAll, describe, expect, it } from "vitest";
import { millrace } from "../cli/millrace.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeServer } from "../harness/servers.ts";

/** What the command refuses before it looks for a server. */
const REFUSED: readonly {
  readonly title: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  readonly code: string;
  readonly says: RegExp;
}[] = [
  {
    title: "an unknown flag",
    args: ["queues", "--colour"],
    code: "invalid-option",
    says: /--colour/,
  },
  { title: "an unknown command", args: ["quues"], code: "invalid-option", says: /quues/ },
  {
    title: "a flag out of range",
    args: ["run", "good.mjs", "--slots", "0"],
    code: "invalid-option",
    says: /--slots/,
  },
  {
    title: "a variable that is no duration",
    args: ["run", "good.mjs"],
    env: { MILLRACE_LEASE: "soon" },
    code: "invalid-option",
    says: /MILLRACE_LEASE/,
  },
  {
    title: "a namespace with a dot",
    args: ["queues", "--namespace", "a.b"],
    code: "invalid-option",
    says: /--namespace/,
  },
  {
    title: "a configuration file that is no JSON",
    args: ["queues", "--config", "bad.json"],
    files: { "bad.json": "{" },
    code: "invalid-option",
    says: /bad\.json/,
  },
  {
    title: "a configuration file with an unknown field",
    args: ["queues", "--config", "odd.json"],
    files: { "odd.json": '{"slotz":4}' },
    code: "invalid-option",
    says: /slotz/,
  },
  {
    title: "a configuration file with a field of the wrong type",
    args: ["run", "good.mjs", "--config", "odd.json"],
    files: { "odd.json": '{"slots":"many"}' },
    code: "invalid-option",
    says: /slots/,
  },
  {
    title: "a configuration file that is not there",
    args: ["queues", "--config", "none.json"],
    code: "invalid-option",
    says: /none\.json/,
  },
  {
    title: "a job file that throws on import",
    args: ["run", "throws.mjs"],
    files: { "throws.mjs": 'throw new Error("no database configured");' },
    code: "job-file-failed",
    says: /throws\.mjs.*no database configured/,
  },
  {
    title: "a job file that rejects on import",
    args: ["run", "rejects.mjs"],
    files: { "rejects.mjs": "await Promise.reject(null);" },
    code: "job-file-failed",
    says: /rejects\.mjs/,
  },
  {
    title: "a job file that can't be parsed",
    args: ["run", "syntax.mjs"],
    files: { "syntax.mjs": "export const = 1;" },
    code: "job-file-failed",
    says: /syntax\.mjs/,
  },
  {
    title: "a job file that imports what is not there",
    args: ["run", "imports.mjs"],
    files: { "imports.mjs": 'import "./gone.mjs";' },
    code: "job-file-failed",
    says: /imports\.mjs.*gone\.mjs/,
  },
  {
    title: "a job file that is not there",
    args: ["run", "none.mjs"],
    code: "job-file-failed",
    says: /none\.mjs/,
  },
  {
    title: "a job file without a job",
    args: ["run", "empty.mjs"],
    files: { "empty.mjs": "export const x = 1;" },
    code: "no-jobs",
    says: /empty\.mjs/,
  },
  { title: "no job file", args: ["run"], code: "no-jobs", says: /job file/ },
  {
    title: "a job name that can't be",
    args: ["enqueue", "two words"],
    code: "invalid-name",
    says: /two words/,
  },
  {
    title: "a queue name that can't be",
    args: ["enqueue", "ok", "--queue", "a.b"],
    code: "invalid-name",
    says: /a\.b/,
  },
  {
    title: "an unfinished payload",
    args: ["enqueue", "ok", '{"a":'],
    code: "invalid-payload",
    says: /JSON/,
  },
];

describe("millrace refuses, and says where", () => {
  it.each(REFUSED)("$title", async ({ args, env = {}, files = {}, code, says }) => {
    const cwd = await mkdtemp(join(tmpdir(), "millrace-refused-"));
    cleanUpLater(() => rm(cwd, { recursive: true, force: true }));
    for (const [name, text] of Object.entries(files)) await writeFile(join(cwd, name), text);
    const [result, forPeople] = await Promise.all([
      millrace([...args, "--json"], { env, cwd }),
      millrace(args, { env, cwd }),
    ]);
    expect(result.json()).toMatchObject({ error: { code, message: expect.stringMatching(says) } });
    expect(result.code).toBe(2);
    expect(forPeople.err).toMatch(says);
    expect(forPeople.err).not.toMatch(/\n\s+at /);
    expect(forPeople.code).toBe(2);
  });

  it("no server, with exit code 3", async () => {
    const server = `nats://127.0.0.1:${await findFreePort()}`;
    for (const args of [["queues"], ["enqueue", "ok"], ["jobs", "get", "x"], ["dead", "list"]]) {
      const result = await millrace([...args, "--json", "--server", server]);
      expect(result.json()).toMatchObject({
        error: { code: "server-unreachable", message: expect.stringContaining(server) },
      });
      expect(result.code).toBe(3);
    }
  });
});

describeServer("millrace enqueue passes on what the queue says", "newest", (server) => {
  let namespace = "";
  beforeAll(async () => {
    const long = defineJob({ name: "long", queue: "tiny" }).handler(
      ({ signal }) =>
        new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())),
    );
    const served = await startNodeOnServer(server, {
      jobs: [long],
      queues: { tiny: { settings: { maxJobs: 1 } } },
    });
    namespace = served.namespace;
  });
  const enqueue = (...args: string[]) =>
    millrace([
      "enqueue",
      "long",
      ...args,
      "--queue",
      "tiny",
      "--json",
      "--server",
      server.url,
      "--namespace",
      namespace,
    ]);

  it.each([
    ["a time that has passed", ["--at", "2001-01-01T00:00:00Z"], 2, "past-not-before"],
    ["an expiry before the start", ["--delay", "5m", "--expires-in", "1m"], 2, "already-expired"],
    ["an id that can't be", ["--id", "a/b"], 2, "invalid-name"],
  ] as const)("%s", async (_what, args, code, error) => {
    const result = await enqueue(...args);
    expect(result.json()).toMatchObject({ error: { code: error } });
    expect(result.code).toBe(code);
  });

  it("a payload that is too large", async () => {
    const big = await millrace(
      [
        "enqueue",
        "long",
        "-",
        "--queue",
        "tiny",
        "--json",
        "--server",
        server.url,
        "--namespace",
        namespace,
      ],
      { stdin: JSON.stringify("x".repeat(1_048_576)) },
    );
    expect(big.json()).toMatchObject({ error: { code: "payload-too-large" } });
    expect(big.code).toBe(2);
  });

  it("a queue that is full, after a job that it took", async () => {
    expect(await enqueue()).toMatchObject({ code: 0 });
    const full = await enqueue();
    expect(full.json()).toMatchObject({ error: { code: "queue-full" } });
    expect(full.code).toBe(1);
  });

  it("a queue that does not exist", async () => {
    const result = await millrace([
      "enqueue",
      "long",
      "--queue",
      "nowhere",
      "--json",
      "--server",
      server.url,
      "--namespace",
      namespace,
    ]);
    expect(result.json()).toMatchObject({
      error: { code: "queue-not-found", message: expect.stringContaining("nowhere") },
    });
    expect(result.code).toBe(1);
  });
});
