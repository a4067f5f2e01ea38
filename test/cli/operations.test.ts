import { connect, defineJob, type Operation } from "millrace";
import { expect, test, vi } from "vitest";
import { patient } from "../harness/cluster/mode.ts";
import { describeEachServer } from "../harness/servers.ts";
import { type CommandResult, millraceHere } from "./millrace.ts";

const send = defineJob<{ readonly n: number }>({ name: "mail.send", queue: "mail" });
const bill = defineJob<{ readonly n: number }>({ name: "mail.bill", queue: "mail" });
// A dozen commands, each a connection of its own, which an election may keep waiting.
vi.setConfig({ testTimeout: patient(120_000) });

describeEachServer("operations, and jobs cancel --all", (server) => {
  async function scene() {
    const namespace = server.namespace();
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
    await using client = await connect({ servers: server.url, namespace, env: {} });
    await client.queues.ensure("mail");
    for (const n of [1, 2, 3]) await client.enqueue(send, { n }, { id: `s${n}` });
    await client.enqueue(bill, { n: 1 }, { id: "b1" });
    const run = (...args: readonly string[]): Promise<CommandResult> => millraceHere(args, { env });
    const json = async <T>(...args: readonly string[]): Promise<T> =>
      (await run(...args, "--json")).json<T>();
    return { run, json };
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

  test.each([
    [["jobs", "cancel"], /Give a job's id, or --all/],
    [["jobs", "cancel", "s1", "--all"], /Give a job's id, or --all/],
    [["jobs", "cancel", "s1", "--state", "queued"], /go with --all/],
    [["jobs", "cancel", "--all", "--wait"], /go with a job's id/],
    [["jobs", "cancel", "--all"], /nobody to ask \(Cancel 4 jobs for good\?\)/],
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
