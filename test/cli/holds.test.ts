import { connect, createNode, defineJob } from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { millraceHere } from "./millrace.ts";

const close = defineJob({ name: "books.close", queue: "books", singleton: true });
const send = defineJob<{ readonly to: string }>({
  ...{ name: "mail.send", queue: "books" },
  concurrency: { key: ({ to }) => to, limit: 1 },
});

describeEachServer("what a job waits for, as millrace jobs get says it", (server) => {
  test("a blocked job names the limit and who has it since when; a delayed one its time; a paused one who paused", async () => {
    const namespace = server.namespace();
    const connection = { servers: server.url, namespace, env: {} };
    const end = Promise.withResolvers<void>();
    const jobs = [close.handler(() => end.promise), send.handler(() => end.promise)];
    const node = await createNode({ ...connection, nodeName: "worker-7", slots: 8, jobs });
    cleanUpLater(() => node.stop());
    onTestFinished(() => end.resolve());
    await node.start();
    const client = await connect(connection);
    cleanUpLater(() => client.close());
    for (const id of ["b-1", "b-2"]) await client.enqueue(close, undefined, { id });
    for (const id of ["m-1", "m-2"])
      await client.enqueue(send, { to: "token=s3cr3t-value" }, { id });
    await client.enqueue(close, undefined, { id: "later", delay: "2h" });
    await eventually(async () => (await client.jobs.count({ state: "blocked" })) === 2, {
      ...{ withinMs: 60_000, describe: "one of each waits for the other" },
    });
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
    const waitsFor = async (id: string): Promise<string | undefined> => {
      const { out } = await millraceHere(["jobs", "get", id, "--queue", "books"], { env });
      return /^waits for +(.*)$/m.exec(out)?.[1];
    };
    expect(await waitsFor("b-2")).toMatch(
      /^the singleton books\.close, since \S+Z, 0 before it of 1 that wait; now b-1 on worker-7 since \S+Z$/,
    );
    const blocked = await waitsFor("m-2");
    expect(blocked).toMatch(/^jobs at once of the key .*; now m-1 on worker-7 since \S+Z$/);
    expect(blocked).not.toContain("s3cr3t");
    for (const also of [[], ["--json"]]) {
      const args = ["jobs", "list", "--state", "blocked", ...also];
      const listed = await millraceHere(args, { env });
      expect(listed.out).toContain("m-2");
      expect(listed.out).not.toContain("s3cr3t");
      const open = await millraceHere([...args, "--show-payload"], { env });
      expect(open.out).toContain("s3cr3t");
    }
    expect(await waitsFor("b-1")).toBeUndefined();
    const runs = await millraceHere(["jobs", "get", "b-1"], { env });
    expect(runs.out).toMatch(/^node +worker-7, since \S+Z$/m);
    await eventually(async () => (await client.jobs.count({ state: "delayed" })) === 1, {
      ...{ withinMs: 60_000, describe: "the delayed job is put aside" },
    });
    expect(await waitsFor("later")).toMatch(/^\d{4}-\S+Z: its producer's delay$/);
    const { json } = await millraceHere(["jobs", "get", "b-2", "--json"], { env });
    expect(json()).toMatchObject({ hold: { kind: "gate", before: 0, waiting: 1 } });

    await client.queues.ensure("idle");
    await client.enqueue({ ...close, queue: "idle" }, undefined, { id: "i-1" });
    const idle = await millraceHere(["jobs", "get", "i-1"], { env });
    expect(idle.out).toMatch(/^waits for +a node: none takes jobs of its queue$/m);
    await client.queues.pause("idle", { by: "ada", reason: "the bank is away, token=abc123def" });
    const paused = await millraceHere(["jobs", "get", "i-1"], { env });
    expect(paused.out).toMatch(
      /^waits for +its queue, paused since \S+Z by ada: the bank is away, token=\*\*\*$/m,
    );
    const told = await millraceHere(["jobs", "get", "i-1", "--json"], { env });
    expect(told.json()).toMatchObject({ hold: { reason: "the bank is away, token=***" } });
  });
});
