import { fileURLToPath } from "node:url";
import { connect as connectClient } from "millrace";
import { beforeEach, expect, test, vi } from "vitest";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { type CommandResult, millraceHere, startMillrace } from "./millrace.ts";

const JOBS = fileURLToPath(new URL("jobs.ts", import.meta.url));
const PATIENCE_MS = 60_000;
// Some twenty commands, each a process or a connection of its own, which an election may keep
// waiting.
vi.setConfig({ testTimeout: patient(180_000) });

describeEachServer("jobs cancel, reschedule, progress and list --state", (server) => {
  let env: Record<string, string>;
  beforeEach(async () => {
    const namespace = server.namespace();
    env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
    await using client = await connectClient({ servers: server.url, namespace, env: {} });
    await client.queues.ensure("work");
  });
  const run = (...args: readonly string[]): Promise<CommandResult> => millraceHere(args, { env });
  const json = async <T>(...args: readonly string[]): Promise<T> =>
    (await run(...args, "--json")).json<T>();
  const slow = (id: string, ...more: readonly string[]): Promise<CommandResult> =>
    run("enqueue", "slow", '{"ms":600000}', "--queue", "work", "--id", id, ...more);
  const listed = async (state: string): Promise<readonly string[]> =>
    (await json<{ id: string }[]>("jobs", "list", "--state", state)).map(({ id }) => id);

  async function untilListed(state: string, ids: readonly string[]): Promise<void> {
    let seen: readonly string[] = [];
    await eventually(
      async () => {
        seen = await listed(state);
        return JSON.stringify(seen) === JSON.stringify(ids);
      },
      {
        withinMs: PATIENCE_MS,
        describe: () => `${state}: ${ids.join(" ")}; listed: ${seen.join(" ")}`,
      },
    );
  }

  test("jobs are listed where they are, cancelled from there, and shown as cancelled afterwards", async () => {
    const node = startMillrace(["run", JOBS, "--health-port", "0", "--slots", "1", "--json"], env);
    await node.line(/"healthUrl"/, PATIENCE_MS);
    await slow("later", "--delay", "1h");
    await untilListed("delayed", ["later"]);
    await slow("runs");
    await untilListed("running", ["runs"]);
    await slow("waits");
    await untilListed("queued", ["waits"]);
    // A node whose connection is away does not say what it runs, and an acknowledgement that dies
    // with a leader leaves its job in the queue.
    await server.calm();
    expect(await json("jobs", "list", "--state", "running", "--queue", "work")).toMatchObject([
      { name: "slow", queue: "work", state: "running", attempts: 0, node: expect.any(String) },
    ]);
    expect((await run("jobs", "list", "--state", "delayed")).out).toMatch(/ID .*DUE[\s\S]*later/);
    // A report is heard before it is stored.
    const progress = await eventually(() => json<object | null>("jobs", "progress", "runs"), {
      withinMs: PATIENCE_MS,
      describe: "the job's progress is stored",
    });
    expect(progress).toMatchObject({ value: 0.5, note: "sleeping" });
    expect((await run("jobs", "get", "runs")).out).toMatch(/progress +0.5 sleeping/);

    const waiting = await run("jobs", "cancel", "waits", "--queue", "work");
    expect(waiting).toMatchObject({ code: 0, out: expect.stringContaining("cancelling") });
    expect(
      await json("jobs", "cancel", "runs", "--reason", "enough", "--wait", "--timeout", "20s"),
    ).toEqual({ id: "runs", queue: "work", state: "cancelled" });
    expect(await json("jobs", "cancel", "later", "--wait")).toMatchObject({ state: "cancelled" });
    await eventually(async () => (await listed("cancelled")).length === 3, {
      withinMs: PATIENCE_MS,
      describe: "all three are cancelled",
    });
    expect((await listed("cancelled")).toSorted()).toEqual(["later", "runs", "waits"]);
    expect(await json("jobs", "get", "runs")).toMatchObject({
      state: "cancelled",
      history: [{ reason: "enough" }],
    });
    for (const state of ["queued", "delayed", "running"]) expect(await listed(state)).toEqual([]);
    expect((await run("jobs", "list", "--state", "queued")).out).toBe("no queued jobs\n");
    node.signal("SIGTERM");
    await node.exit(PATIENCE_MS);
  });

  test("a delayed job is rescheduled; what can't be done has its code and its exit code", async () => {
    const node = startMillrace(["run", JOBS, "--health-port", "0", "--json"], env);
    await node.line(/"healthUrl"/, PATIENCE_MS);
    await run("enqueue", "double", '{"n":2}', "--queue", "work", "--id", "d", "--delay", "1h");
    await untilListed("delayed", ["d"]);
    const moved = await run("jobs", "reschedule", "d", "--delay", "2h");
    expect(moved).toMatchObject({ code: 0, out: expect.stringContaining("not before") });
    expect(await json("jobs", "reschedule", "d", "--delay", "0s")).toEqual({
      id: "d",
      queue: "work",
    });
    expect(await json("jobs", "progress", "d", "--follow")).toEqual([]);
    const late = await run("jobs", "reschedule", "d", "--delay", "1h", "--json");
    expect(late.code).toBe(1);
    expect(late.json()).toMatchObject({ error: { code: "not-delayed" } });
    const ended = await run("jobs", "cancel", "d");
    expect(ended).toMatchObject({ code: 1, out: expect.stringContaining("nothing to cancel") });
    for (const command of ["cancel", "progress"])
      expect((await run("jobs", command, "nobody", "--json")).json()).toMatchObject({
        error: { code: "job-not-found" },
      });
    expect(await run("jobs", "reschedule", "d")).toMatchObject({ code: 2 });
    node.signal("SIGTERM");
    await node.exit(PATIENCE_MS);
  });
});
