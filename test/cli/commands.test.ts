import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect } from "millrace";
import { beforeEach, expect, test } from "vitest";
import { bareClient } from "../harness/bare-client.ts";
import { clusterMode } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { broken, leaky } from "./jobs.ts";
import {
  type CommandOptions,
  type CommandResult,
  millrace,
  millraceHere,
  startMillrace,
} from "./millrace.ts";

const JOBS = fileURLToPath(new URL("jobs.ts", import.meta.url));

interface JobJson {
  readonly state: string;
  readonly attempts: number;
  readonly history: readonly object[];
  readonly result?: unknown;
}

describeEachServer("the command", (server) => {
  let namespace: string;
  let env: Record<string, string>;
  beforeEach(() => {
    namespace = server.namespace();
    env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
  });
  const run = (args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> =>
    millraceHere(args, { ...options, env: { ...env, ...options.env } });

  /** The queue without a node. */
  async function ensureQueue(): Promise<void> {
    await using client = await connect({ servers: server.url, namespace, env: {} });
    await client.queues.ensure("work");
  }

  async function startNode(): Promise<{ healthPort: string; stop(): Promise<number | null> }> {
    const node = startMillrace(["run", JOBS, "--health-port", "0", "--json"], env);
    const ready = JSON.parse(await node.line(/"healthUrl"/, 90_000)) as { healthUrl: string };
    return {
      healthPort: new URL(ready.healthUrl).port,
      stop: async () => {
        node.signal("SIGTERM");
        return (await node.exit(90_000)).code;
      },
    };
  }

  async function ended(id: string): Promise<JobJson> {
    return eventually(
      async () => {
        const job = (await run(["jobs", "get", id, "--json"])).json<JobJson>();
        // What happens to a job is visible before it is recorded: publish, then record, then ack.
        const isOver = job.state !== "queued" && job.state !== "running";
        return isOver && job.history.length > 0 ? job : undefined;
      },
      { withinMs: 20_000, describe: `job ${id} ends` },
    );
  }

  test("a queue that does not exist is refused, and nothing is listed", async () => {
    const missing = await run(["enqueue", "double", '{"n":1}', "--queue", "nowhere", "--json"]);
    expect(missing).toMatchObject({ code: 1 });
    expect(missing.json()).toMatchObject({ error: { code: "queue-not-found" } });
    const queues = await millrace([
      "queues",
      "--json",
      "--server",
      server.url,
      "--namespace",
      "empty",
    ]);
    expect(queues).toMatchObject({ code: 0, out: "[]\n" });
  });

  test("a job from the command line to its result, with secrets masked", async () => {
    // The acknowledgement that dies with a leader leaves the job to run on for a lease.
    await server.calm();
    const node = await startNode();
    const enqueued = await run(
      ["enqueue", "double", "-", "--queue", "work", "--id", "d1", "--json"],
      { stdin: '{"n":21}' },
    );
    expect(enqueued.json()).toEqual({ id: "d1", queue: "work", duplicate: false });
    expect(
      (
        await run(["enqueue", "double", '{"n":21}', "--queue", "work", "--id", "d1", "--json"])
      ).json(),
    ).toEqual({
      id: "d1",
      queue: "work",
      duplicate: true,
    });
    expect(await ended("d1")).toEqual({
      createdAt: expect.any(Number) as number,
      id: "d1",
      name: "double",
      queue: "work",
      state: "succeeded",
      attempts: 1,
      result: { doubled: 42, token: "***" },
      history: [
        expect.objectContaining({
          state: "succeeded",
          outcome: "succeeded",
          attempts: 1,
          output: { doubled: 42, token: "***" },
        }),
      ],
    });
    expect((await run(["jobs", "get", "d1", "--show-payload"])).out).toContain("hunter2");
    expect((await run(["jobs", "list", "--json"])).json<object[]>()).toEqual([
      expect.objectContaining({ id: "d1", state: "succeeded" }),
    ]);
    // "No jobs" would be a lie where only none of those looked at fits.
    expect(await run(["jobs", "list", "--filter", "error~oops", "--limit", "3"])).toMatchObject({
      code: 0,
      out: "none of the latest 3 jobs fits; look at more with --limit, or at all with --job-index\n",
    });
    expect((await run(["queues", "--json"])).json()).toEqual([
      {
        queue: "work",
        intake: "open",
        queued: 0,
        running: 0,
        delayed: 0,
        blocked: 0,
        dead: 0,
        oldestAgeMs: 0,
      },
    ]);
    const health = await run(["healthcheck", "--health-port", node.healthPort]);
    expect(health).toMatchObject({ code: 0, out: "healthy\n" });
    expect(await node.stop()).toBe(0);
    expect((await run(["healthcheck", "--health-port", node.healthPort])).code).toBe(1);
  });

  test("a job is shown with its trace, and with the page of it where traces are shown", async () => {
    await ensureQueue();
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    await using client = await connect({ servers: server.url, namespace, env: {} });
    await client.enqueue(broken, null, {
      id: "traced",
      headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
    });
    expect((await run(["jobs", "get", "traced", "--json"])).json()).toMatchObject({ traceId });
    const page = "https://traces.example/trace/{traceId}";
    const shown = await run(["jobs", "get", "traced"], { env: { MILLRACE_TRACE_URL: page } });
    expect(shown.out).toContain(`${traceId} https://traces.example/trace/${traceId}\n`);
    const refused = await run(["jobs", "get", "traced", "--trace-url", "https://traces.example"]);
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.err).toContain("{traceId}");
  });

  test("what a job carries is masked, its tags too", async () => {
    await ensureQueue();
    await using client = await connect({ servers: server.url, namespace, env: {} });
    const secret = "hunter2-hunter2";
    const tags = ["vip", `password=${secret}`];
    await client.enqueue(leaky, { password: secret }, { id: "tagged", tags });
    const { out } = await run(["jobs", "get", "tagged"]);
    expect(out).toMatch(/^tags +vip, password=\*\*\*$/m);
    expect(out).not.toContain(secret);
    const shown = await run(["jobs", "get", "tagged", "--json"]);
    expect(shown.json()).toMatchObject({
      cargo: { payload: { password: "***" }, tags: ["vip", "password=***"] },
    });
    expect(shown.out).not.toContain(secret);
    const plain = await run(["jobs", "get", "tagged", "--show-payload", "--json"]);
    expect(plain.json()).toMatchObject({ cargo: { payload: { password: secret }, tags } });
  });

  test("a delayed job is delayed until its time has come", async () => {
    const node = await startNode();
    const later = Date.now() + 3_600_000;
    await run([
      "enqueue",
      "double",
      '{"n":1}',
      "--queue",
      "work",
      "--id",
      "later",
      "--at",
      String(later),
    ]);
    const delayed = await ended("later");
    expect(delayed).toMatchObject({
      state: "delayed",
      attempts: 0,
      history: [{ state: "requeued", outcome: "deferred" }],
    });
    expect((await run(["queues", "--json"])).json()).toMatchObject([{ queue: "work", delayed: 1 }]);
    await run([
      "enqueue",
      "double",
      '{"n":2}',
      "--queue",
      "work",
      "--id",
      "soon",
      "--delay",
      "300ms",
    ]);
    await eventually(
      async () =>
        (await run(["jobs", "get", "soon", "--json"])).json<JobJson>().state === "succeeded",
      {
        withinMs: 20_000,
        describe: "the job that is due soon has run",
      },
    );
    expect(await node.stop()).toBe(0);
  });

  test("a dead letter is shown with the trace of its job", async () => {
    const node = await startNode();
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    await using client = await connect({ servers: server.url, namespace, env: {} });
    const traced = { id: "t1", headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` } };
    await client.enqueue(broken, null, traced);
    await ended("t1");
    expect((await run(["dead", "show", "t1", "--json"])).json()).toMatchObject({ traceId });
    expect((await run(["dead", "show", "t1"])).out).toMatch(new RegExp(`trace +${traceId}`));
    expect(await node.stop()).toBe(0);
  });

  test("dead letters: listed, shown, retried with attempts at zero, discarded", async () => {
    const node = await startNode();
    await run([
      "enqueue",
      "broken",
      '{"to":"ada","password":"hunter2"}',
      "--queue",
      "work",
      "--id",
      "b1",
    ]);
    expect(await ended("b1")).toMatchObject({
      state: "dead",
      attempts: 1,
      error: { message: "broken beyond repair" },
    });
    const [letter] = (await run(["dead", "list", "--json"])).json<object[]>();
    expect(letter).toEqual({
      id: "b1",
      name: "broken",
      queue: "work",
      reason: "fatal",
      attempts: 1,
      at: expect.any(Number) as number,
      error: expect.objectContaining({ type: "fatal", message: "broken beyond repair" }) as object,
    });
    const grouped = await run(["dead", "list", "--group", "--json"]);
    expect(grouped.json()).toMatchObject([{ count: 1, lastId: "b1", queue: "work" }]);
    expect(grouped.out).not.toContain("hunter2");
    expect((await run(["dead", "list", "--group"])).out).toMatch(/COUNT .*\n +1 /);
    const shown = await run(["dead", "show", "b1"]);
    expect(shown.out).toContain('"password": "***"');
    expect(shown.out).not.toContain("hunter2");
    expect((await run(["dead", "show", "b1", "--raw"])).out).toContain("hunter2");
    expect((await run(["dead", "list", "--reason", "crashed", "--json"])).json()).toEqual([]);

    expect((await run(["dead", "retry", "b1", "nobody", "--json"])).json()).toMatchObject({
      retried: [{ id: "b1", queue: "work" }],
      failed: [{ id: "nobody", error: { code: "job-not-found" } }],
    });
    await eventually(
      async () => (await run(["jobs", "get", "b1", "--json"])).json<JobJson>().history.length === 2,
      {
        withinMs: 20_000,
        describe: "the retried job has run again",
      },
    );
    expect((await run(["jobs", "get", "b1", "--json"])).json()).toMatchObject({
      state: "dead",
      history: [
        { generation: 0, attempts: 1 },
        { generation: 2_048, attempts: 1 },
      ],
    });
    expect((await run(["dead", "discard", "--all"])).code).toBe(2);
    expect((await run(["dead", "discard", "--all", "--yes", "--json"])).json()).toMatchObject({
      operation: { kind: "dead-discard", total: 1, done: 1, progress: { state: "done" } },
      discarded: [{ id: "b1", queue: "work" }],
      failed: [],
    });
    expect((await run(["dead", "list"])).out).toBe("no dead letters\n");
    expect(await node.stop()).toBe(0);
  });

  test("a secret in a payload is in no log, record or view of a job that fails with it, and in the letter's bytes", async () => {
    const secret = "correct-horse-7";
    const node = startMillrace(["run", JOBS, "--health-port", "0", "--json"], env);
    await node.line(/"healthUrl"/, 90_000);
    const payload = JSON.stringify({ password: secret });
    await run(["enqueue", "leaky", payload, "--queue", "work", "--id", "leak", "--json"]);
    expect(await ended("leak")).toMatchObject({ state: "dead" });
    node.signal("SIGTERM");
    await node.exit(90_000);
    const line = node.output().find((text) => text.includes("trying")) ?? "";
    expect(JSON.parse(line)).toMatchObject({
      level: 30,
      msg: "trying password=***",
      job: "leak",
      name: "leaky",
      queue: "work",
      attempt: 1,
      input: { password: "***" },
    });
    expect(node.output().join("\n")).not.toContain(secret);
    for (const args of [
      ["dead", "list"],
      ["dead", "show", "leak"],
      ["jobs", "get", "leak"],
    ])
      for (const form of [[], ["--json"]]) {
        const { out, code } = await run([...args, ...form]);
        expect(code).toBe(0);
        expect(out).toContain("postgres://app:***@db");
        expect(out).not.toContain(secret);
      }
    expect((await run(["dead", "show", "leak", "--raw"])).out).toContain(secret);
    const shown = (await run(["dead", "show", "leak", "--show-payload", "--json"])).json();
    expect(shown).toMatchObject({ payload: { password: secret } });
  });

  test("bytes that are no job: a dead letter that is shown, kept and not retried", async () => {
    const node = await startNode();
    const bare = await bareClient(server);
    const junk = new Uint8Array([0xc1, 0xff]);
    await bare.publish(`${namespace}.jobs.work`, junk, { "Nats-Msg-Id": "junk" });
    const dead = async (): Promise<object[]> =>
      (await run(["dead", "list", "--json"])).json<object[]>();
    const [letter] = await eventually(
      async () => ((await dead()).length > 0 ? dead() : undefined),
      {
        withinMs: 20_000,
        describe: "the bytes are a dead letter",
      },
    );
    expect(letter).toMatchObject({ id: "junk", name: null, reason: "undecodable", attempts: 0 });
    expect((await run(["dead", "show", "junk", "--json"])).json()).toMatchObject({
      bytes: 2,
      unreadable: expect.any(String) as string,
    });
    const retried = await run(["dead", "retry", "--all", "--yes", "--json"]);
    expect(retried.code).toBe(1);
    expect(retried.json()).toMatchObject({
      retried: [],
      failed: [{ id: "junk", error: { code: "undecodable" } }],
    });
    expect(await dead()).toHaveLength(1);
    expect((await run(["dead", "discard", "junk", "--yes"])).code).toBe(0);
    expect(await node.stop()).toBe(0);
  });

  test("a job with isolation: thread runs in a thread, found by its file", async () => {
    const node = await startNode();
    await run(["enqueue", "threaded", "--queue", "work", "--id", "t1"]);
    expect(await ended("t1")).toMatchObject({
      state: "succeeded",
      result: { isMainThread: false },
    });
    expect(await node.stop()).toBe(0);
  });

  test("doctor finds a sound server sound", async () => {
    await ensureQueue();
    // Of copies that are away or behind it rightly warns, and it asks only once.
    await server.calm();
    const report = await run(["doctor", "--json"]);
    expect(report.code).toBe(0);
    const { findings } = report.json<{
      findings: { check: string; status: string; message: string }[];
    }>();
    // Of a cluster of 2.10 it rightly warns.
    const known = clusterMode() === "2.10" ? "server-version" : undefined;
    expect(
      findings.filter(
        ({ check, status }) => (status === "fail" || status === "warn") && check !== known,
      ),
    ).toEqual([]);
    expect(findings.map(({ check }) => check)).toEqual([
      "connection",
      "server-version",
      "jetstream",
      "clock",
      "sync-interval",
      "queue work",
    ]);
    expect(findings.find(({ check }) => check === "server-version")?.message).toContain(
      server.version.replace(/^v/, ""),
    );
    expect(findings.find(({ check }) => check === "clock")?.status).toBe("ok");
  });

  test("configuration from a file, and the payload from another", async () => {
    await ensureQueue();
    const dir = await mkdtemp(join(tmpdir(), "millrace-cli-"));
    try {
      await writeFile(
        join(dir, "millrace.config.json"),
        JSON.stringify({ servers: server.url, namespace }),
      );
      await writeFile(join(dir, "payload.json"), '{"n":5}');
      const options = { cwd: dir, env: { MILLRACE_SERVERS: "", MILLRACE_NAMESPACE: "" } };
      expect(
        (
          await millrace(
            ["enqueue", "double", "@payload.json", "--queue", "work", "--id", "f1", "--json"],
            options,
          )
        ).json(),
      ).toMatchObject({ id: "f1" });
      expect((await run(["jobs", "get", "f1", "--json"])).json()).toMatchObject({ name: "double" });
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});
