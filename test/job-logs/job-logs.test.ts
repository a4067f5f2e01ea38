import { connect, createNode, defineJob, type JobLogEntry } from "millrace";
import { expect, onTestFinished, test, vi } from "vitest";
import { QUEUE, type Task } from "../cancel/programs/jobs.ts";
import { threaded } from "../cancel/programs/thread-job.ts";
import { millraceHere, startMillrace } from "../cli/millrace.ts";
import { eventually } from "../harness/deadline.ts";
import { administrator } from "../harness/administrator.ts";
import { patient } from "../harness/cluster/mode.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(180_000) });
const PATIENCE_MS = 60_000;
const charge = defineJob<{ readonly card: string }>({
  name: "charge",
  queue: QUEUE,
  retry: { attempts: 2, base: "10ms", jitter: false },
});

describeEachServer("logs of jobs", (server) => {
  async function fleet(of: TestServer) {
    let goOn = (): void => {};
    const held = new Promise<void>((resolve) => (goOn = resolve));
    const connection = { servers: of.url, namespace: of.namespace(), env: {} };
    const node = await createNode({
      ...{ ...connection, nodeName: "worker-1", jobLogs: "info", jobLogMaxLines: 50 },
      ...{ jobLogsKeepMs: "2d", jobLogsMaxMb: 8 },
      jobs: [
        charge.handler(async ({ input, attempt, log }) => {
          log.debug({}, "of no interest");
          log.info({ password: input.card }, "charging https://shop/?token=s3cr3t-value-1234567");
          if (attempt === 1) throw new Error("once more");
          await held;
          for (let n = 0; n < 60; n += 1) log.warn({ n }, `line ${n}`);
        }),
        threaded,
      ],
    });
    onTestFinished(() => node.stop());
    await node.start();
    const client = await connect(connection);
    onTestFinished(() => client.close());
    const { jsm } = await administrator(of);
    const stream = () =>
      jsm.streams.info(`${connection.namespace}-logs`).then(
        ({ config }) => config,
        () => undefined,
      );
    const env = { MILLRACE_SERVERS: of.url, MILLRACE_NAMESPACE: connection.namespace };
    return { client, stream, env, goOn, jsm };
  }

  const all = async (lines: AsyncIterable<JobLogEntry>): Promise<readonly string[]> => {
    const seen: string[] = [];
    for await (const { attempt, message } of lines) seen.push(`${attempt} ${message}`);
    return seen;
  };

  test("another process follows a job's lines to its end; they are masked, bounded and read again later", async () => {
    const { client, stream, env, goOn } = await fleet(server);
    expect(await stream()).toBeUndefined();
    const handle = await client.enqueue(charge, { card: "hunter2hunter2" }, { id: "c" });
    const follow = startMillrace(["jobs", "logs", "c", "--queue", QUEUE, "--follow"], env);
    await follow.line(/attempt 2 +info +charging/, PATIENCE_MS);
    goOn();
    expect((await follow.exit(PATIENCE_MS)).code).toBe(0);
    await handle.result();
    const said = follow.output().join("\n");
    expect(said).toMatch(/attempt 1 +info +charging \S+token=\*\*\* +\{"password":"\*\*\*"\}/);
    expect(said).toMatch(/attempt 2 +warn +line 48 /);
    expect(said).toMatch(/attempt 2 +warn +11 more lines were not kept/);
    expect(said).not.toMatch(/of no interest|hunter2|s3cr3t|line 49/);
    expect(await stream()).toMatchObject({
      max_age: 2 * 86_400_000 * 1e6,
      max_bytes: 8 * 2 ** 20,
      discard: "old",
    });
    expect(await all(handle.logs())).toHaveLength(52);
    const shown = await millraceHere(["jobs", "logs", "c", "--attempt", "1", "--json"], { env });
    expect(shown.json()).toMatchObject([
      { attempt: 1, node: "worker-1", level: "info", fields: { password: "***" } },
    ]);
  });

  test("a handler in a thread is heard too, and a stream that somebody deleted is made again", async () => {
    const { client, stream, env, jsm } = await fleet(server);
    const run = async (id: string): Promise<void> => {
      const task: Task = { do: "heed" };
      const handle = await client.enqueue(threaded, task, { id });
      await eventually(async () => (await all(handle.logs())).length > 0, {
        withinMs: PATIENCE_MS,
        describe: `a line of ${id} is kept`,
      });
      expect(await all(handle.logs())).toEqual(["1 the thread is at work"]);
      await handle.cancel();
    };
    await run("first");
    await jsm.streams.delete(`${env.MILLRACE_NAMESPACE}-logs`);
    const none = await millraceHere(["jobs", "logs", "first", "--queue", QUEUE], { env });
    expect(none).toMatchObject({ code: 0, out: "", err: expect.stringContaining("--job-logs") });
    await run("second");
    expect(await stream()).toBeDefined();
  });
});
