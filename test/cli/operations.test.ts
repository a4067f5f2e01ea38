import { connect, createNode, defineJob, type EnqueueOptions, type Operation } from "millrace";
import { expect, test, vi } from "vitest";
import { patient } from "../harness/cluster/mode.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { type CommandResult, millraceHere } from "./millrace.ts";

const send = defineJob<{ readonly n: number }>({ name: "mail.send", queue: "mail" });
const bill = defineJob<{ readonly n: number }>({ name: "mail.bill", queue: "mail" });
// A dozen commands, each a connection of its own, which an election may keep waiting.
vi.setConfig({ testTimeout: patient(120_000) });

describeEachServer("operations, and jobs cancel and reschedule --all", (server) => {
  async function scene(options: EnqueueOptions = {}) {
    const namespace = server.namespace();
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
    await using client = await connect({ servers: server.url, namespace, env: {} });
    await client.queues.ensure("mail");
    for (const n of [1, 2, 3]) await client.enqueue(send, { n }, { ...options, id: `s${n}` });
    await client.enqueue(bill, { n: 1 }, { ...options, id: "b1" });
    const run = (...args: readonly string[]): Promise<CommandResult> => millraceHere(args, { env });
    const json = async <T>(...args: readonly string[]): Promise<T> =>
      (await run(...args, "--json")).json<T>();
    return { run, json, namespace };
  }

  /** A node has put the jobs aside for their time. */
  async function delayedScene() {
    const { run, json, namespace } = await scene({ delay: "1h" });
    const options = { servers: server.url, namespace, env: {} };
    const client = await connect(options);
    cleanUpLater(() => client.close());
    const node = await createNode({
      ...options,
      jobs: [send, bill].map((job) => job.handler(() => undefined)),
    });
    cleanUpLater(() => node.stop());
    await node.start();
    const due = async (): Promise<Readonly<Record<string, number>>> =>
      Object.fromEntries(
        (await client.delayed.list()).map(({ id, notBefore }) => [id, notBefore] as const),
      );
    await eventually(async () => Object.keys(await due()).length === 4, {
      withinMs: patient(60_000),
      describe: "all four jobs wait for their time",
    });
    return { run, json, due, client };
  }

  test("all jobs that fit are cancelled, and who asks later is told which", async () => {
    const { run, json } = await scene();
    const cancel = ["jobs", "cancel", "--all", "--queue", "mail", "--name", "mail.send"];
    const done = await json<Operation>(...cancel, "--yes", "--reason", "a mistake");
    expect(done).toMatchObject({
      ...{ kind: "jobs-cancel", total: 3, done: 3, gone: 0, failed: 0, reason: "a mistake" },
      ...{ filter: { queue: "mail", name: "mail.send" }, progress: { state: "done" } },
    });
    expect((await run("operations", "list")).out).toContain("3 of 3 done");
    const { items } = await json<{ items: readonly object[] }>(
      ...["operations", "get", done.id, "--items"],
    );
    expect(items).toEqual(["s1", "s2", "s3"].map((id) => ({ id, queue: "mail", outcome: "done" })));
    expect(await json("audit", "list")).toMatchObject([
      { id: done.id, action: "jobs cancel", outcome: { state: "done", count: 3 } },
    ]);
  });

  test("one that is detached waits for whoever runs it, and can be stopped before", async () => {
    const { run, json } = await scene();
    const cancel = ["jobs", "cancel", "--all", "--state", "queued", "--detach", "--yes"];
    const first = await json<Operation>(...cancel);
    expect(first).toMatchObject({ total: 4, done: 0, progress: { state: "running" } });
    expect(await json("operations", "stop", first.id)).toMatchObject({
      ...{ done: 0, progress: { state: "stopped" } },
    });
    const stopped = await run("operations", "run", first.id);
    expect(stopped).toMatchObject({ code: 1, out: expect.stringContaining("stopped: 0 of 4") });
    const second = await json<Operation>(...cancel);
    const ended = await run("operations", "run", second.id);
    expect(ended).toMatchObject({ code: 0, out: expect.stringContaining("done: 4 of 4") });
    const letters = await json<Operation>("dead", "discard", "--all", "--detach", "--yes");
    expect(letters).toMatchObject({ kind: "dead-discard", filter: { all: true }, total: 0 });
    expect((await run("operations", "run", letters.id)).code).toBe(0);
  });

  test("delayed jobs that fit have another time, and their old one again when it is undone", async () => {
    const { run, json, due, client } = await delayedScene();
    const before = await due();
    const reschedule = ["jobs", "reschedule", "--all", "--queue", "mail", "--name", "mail.send"];
    const at = new Date((before["s1"] ?? 0) + 3_600_000).toISOString();
    const moved = await json<Operation>(...reschedule, "--at", at, "--yes");
    expect(moved).toMatchObject({
      ...{ kind: "jobs-reschedule", total: 3, done: 3, gone: 0, failed: 0 },
      filter: { queue: "mail", name: "mail.send", to: at },
    });
    const to = Date.parse(at);
    expect(await due()).toEqual({ ...before, s1: to, s2: to, s3: to });
    const undo = await json<Operation>("operations", "undo", moved.id, "--reason", "a mistake");
    expect(undo).toMatchObject({
      ...{ total: 3, done: 3, reason: "a mistake", filter: { undoes: moved.id } },
    });
    expect(await due()).toEqual(before);
    const cancelled = await json<Operation>("jobs", "cancel", "--all", "--yes");
    // One that has not ended yet can't be enqueued anew.
    await eventually(async () => (await client.jobs.list({ state: "cancelled" })).length === 4, {
      withinMs: patient(60_000),
      describe: "all four jobs are cancelled on record",
    });
    const anew = await json<Operation>("operations", "undo", cancelled.id);
    expect(anew).toMatchObject({ kind: "cancel-undo", total: 4, done: 4, failed: 0 });
    await eventually(async () => Object.keys(await due()).length === 4, {
      withinMs: patient(60_000),
      describe: "the cancelled jobs wait for their time again",
    });
    expect(await due()).toEqual(before);
    const refused = await run("operations", "undo", anew.id);
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining("can't be undone") });
  });

  test.each([
    [["jobs", "reschedule", "--delay", "1h"], /Give a job's id, or --all/],
    [["jobs", "reschedule", "s1", "--delay", "1h", "--name", "x"], /go with --all/],
    [["jobs", "reschedule", "--all"], /Give one of --delay and --at/],
    [["jobs", "cancel"], /Give a job's id, or --all/],
    [["jobs", "cancel", "s1", "--all"], /Give a job's id, or --all/],
    [["jobs", "cancel", "s1", "--state", "queued"], /go with --all/],
    [["jobs", "cancel", "--all", "--wait"], /go with a job's id/],
    [["jobs", "cancel", "--all"], /nobody to ask \(Cancel 4 jobs\?\)/],
    [["dead", "retry", "s1", "--detach"], /--detach: goes with --all or --filter/],
    [["operations", "get", "none"], /No operation none is kept/],
  ])("a wrong command line changes nothing: %j", async (args, says) => {
    const { run, json } = await scene();
    const { code, err } = await run(...args);
    expect({ code, err }).toMatchObject({
      code: args[0] === "operations" ? 1 : 2,
      err: expect.stringMatching(says),
    });
    expect(await json("operations", "list")).toEqual([]);
  });
});
