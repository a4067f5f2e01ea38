// Jobs that wait or run are found by what they carry: in their queues, where no index has them.
import { connect, createNode, defineJob, type LiveState, type Millrace } from "millrace";
import { expect, onTestFinished, test, vi } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { pauseHeard } from "../harness/pulls.ts";
import { describeEachServer } from "../harness/servers.ts";
import { millraceHere } from "../cli/millrace.ts";

vi.setConfig({ testTimeout: 120_000 });

const WITHIN = { withinMs: 60_000 };
const send = defineJob<{ readonly to: string; readonly n: number; readonly apiKey?: string }>({
  ...{ name: "mail.send", queue: "mail", retry: "none" },
});
/** Two of them at once are one too many. */
const close = defineJob<{ readonly to: string; readonly n: number }>({
  ...{ name: "books.close", queue: "books", singleton: true, retry: "none" },
});

const where = "payload.to:ada payload.n>0 tag:vip";

describeEachServer("a search for jobs that have not ended", (server) => {
  const connected = async () => {
    const connection = { servers: server.url, namespace: server.namespace(), env: {} };
    const client = await connect(connection);
    onTestFinished(() => client.close());
    return { client, connection };
  };
  const scene = async () => {
    const { client, connection } = await connected();
    const release = Promise.withResolvers<void>();
    const node = await createNode({
      ...{ ...connection, nodeName: "worker" },
      jobs: [send.handler(() => release.promise), close.handler(() => release.promise)],
    });
    await node.start();
    onTestFinished(async () => {
      release.resolve();
      await node.stop();
    });
    return { client, connection };
  };
  const found = async (client: Millrace, state: LiveState): Promise<readonly string[]> =>
    (await client.jobs.search({ state, where })).jobs.map(({ id }) => id);

  test("finds them by payload and tag wherever they are, and an operation changes those alone", async () => {
    const { client, connection } = await scene();
    const one = async (of: typeof send | typeof close, id: string, more: object): Promise<void> => {
      await client.enqueue(of, { to: "ada", n: 1 }, { id: `${id}-meant`, tags: ["vip"], ...more });
      await client.enqueue(of, { to: "bob", n: 1 }, { id: `${id}-bob`, tags: ["vip"], ...more });
      await client.enqueue(of, { to: "ada", n: 1 }, { id: `${id}-plain`, ...more });
    };
    await one(send, "runs", {});
    await one(send, "later", { delay: "1h" });
    // The first of them runs and the others wait for it.
    await client.enqueue(close, { to: "eve", n: 0 }, { id: "first" });
    await eventually(async () => (await client.jobs.count({ state: "running" })) === 4, {
      ...{ ...WITHIN, describe: "four run" },
    });
    await one(close, "blocked", {});
    await eventually(async () => (await client.jobs.count({ state: "blocked" })) === 3, {
      ...{ ...WITHIN, describe: "three are blocked" },
    });
    await eventually(async () => (await client.jobs.count({ state: "delayed" })) === 3, {
      ...{ ...WITHIN, describe: "three are delayed" },
    });
    await pauseHeard(client, connection, "mail");
    await one(send, "waits", {});
    await eventually(async () => (await found(client, "queued")).length === 1, {
      ...{ ...WITHIN, describe: "what waits lies in its queue" },
    });
    expect(await found(client, "queued")).toEqual(["waits-meant"]);
    expect(await found(client, "delayed")).toEqual(["later-meant"]);
    expect(await found(client, "blocked")).toEqual(["blocked-meant"]);
    expect(await found(client, "running")).toEqual(["runs-meant"]);
    expect(await client.jobs.list({ state: "delayed", where })).toMatchObject([
      { id: "later-meant", state: "delayed" },
    ]);

    const env = { MILLRACE_SERVERS: connection.servers, MILLRACE_NAMESPACE: connection.namespace };
    const listed = await millraceHere(
      ["jobs", "list", "--state", "blocked", "--filter", where, "--json"],
      { env },
    );
    expect(listed.json<readonly { readonly id: string }[]>().map(({ id }) => id)).toEqual([
      "blocked-meant",
    ]);

    const moved = await client.operations.start({
      ...{ kind: "jobs-reschedule", filter: { queue: "mail", where }, delay: "5h" },
    });
    expect(await client.operations.run(moved.id)).toMatchObject({ total: 1, done: 1 });
    expect((await client.operations.items(moved.id)).map(({ id }) => id)).toEqual(["later-meant"]);
    const { id } = await client.operations.start({ kind: "jobs-cancel", filter: { where } });
    expect(await client.operations.run(id)).toMatchObject({ total: 4, done: 4, failed: 0 });
    expect((await client.operations.items(id)).map((item) => item.id).toSorted()).toEqual([
      ...["blocked-meant", "later-meant", "runs-meant", "waits-meant"],
    ]);
  });

  test("says how far it has looked, and finds no secret", async () => {
    // No node: one would have a job in hand where the queue was paused a moment ago.
    const { client } = await connected();
    await client.queues.ensure("mail");
    const items = Array.from({ length: 1_200 }, (_, n) => ({
      ...{ id: `m-${n}`, input: { to: n === 1_150 ? "ada" : "bob", n, apiKey: "k-123456" } },
      ...{ tags: ["vip"] },
    }));
    await client.enqueueMany(send, items);
    const search = (query: object) => client.jobs.search({ state: "queued", where, ...query });
    expect(await search({})).toMatchObject({
      jobs: [{ id: "m-1150" }],
      looked: 1_200,
      more: false,
    });
    expect(await search({ most: 1_000 })).toEqual({ jobs: [], looked: 1_000, more: true });
    expect(await search({ most: 1_200, limit: 1 })).toMatchObject({ looked: 1_151, more: true });
    expect(await search({ within: 0 })).toMatchObject({ looked: 1, more: true });
    const guess = 'payload.apiKey~k-1 OR "k-123456" OR payload.apiKey=k*';
    expect(await search({ where: guess })).toMatchObject({ jobs: [], looked: 1_200 });
    // As before, a list looks at so many and no more.
    expect(await client.jobs.list({ state: "queued", where, limit: 1_000 })).toEqual([]);
    expect(await client.jobs.list({ state: "queued", where, limit: 1_200 })).toHaveLength(1);
    await expect(client.jobs.search({ state: "dead" as LiveState })).rejects.toMatchObject({
      code: "invalid-option",
    });
    await expect(search({ queue: "nowhere" })).rejects.toMatchObject({ code: "queue-not-found" });
  });
});
