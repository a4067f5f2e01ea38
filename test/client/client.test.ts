import {
  connect,
  createNode,
  defineJob,
  fatal,
  type Millrace,
  MillraceError,
  runNode,
} from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { eventually, within } from "../harness/deadline.ts";
import { startProxy } from "../harness/proxy.ts";
import { describeEachServer } from "../harness/servers.ts";
import { patient } from "../harness/cluster/mode.ts";

const QUEUE = "work";
const echo = defineJob<{ n: number }>({ name: "echo", queue: QUEUE });
const gated = defineJob({ name: "gated", queue: QUEUE });
const broken = defineJob({ name: "broken", queue: QUEUE });

describeEachServer("a client and a node on one server", (server) => {
  /** A client and a node of a namespace of their own; `open` lets the gated jobs end. */
  async function scene(url = server.url) {
    const namespace = server.namespace();
    const gate = Promise.withResolvers<void>();
    const node = await createNode({
      servers: server.url,
      namespace,
      env: {},
      jobs: [
        echo.handler(({ input }) => input.n),
        gated.handler(() => gate.promise.then(() => "through the gate")),
        broken.handler(() => fatal(new TypeError("broken"))),
      ],
    });
    onTestFinished(async () => {
      gate.resolve();
      await node.stop();
    });
    await node.start();
    const client = await connect({ servers: url, namespace, env: {} });
    onTestFinished(() => client.close());
    return { client, node, open: gate.resolve };
  }

  async function untilRunning(client: Millrace, id: string): Promise<void> {
    await eventually(async () => (await client.job(id)).state === "running", {
      withinMs: 20_000,
      describe: `job ${id} runs`,
    });
  }

  test("result() gives what the handler returned, and rejects with the recorded error of a dead job", async () => {
    const { client } = await scene();
    expect(await (await client.enqueue(echo, { n: 7 })).result({ timeout: patient(20_000) })).toBe(
      7,
    );
    const dead = await client.enqueue(broken, null);
    const error: unknown = await dead
      .result({ timeout: patient(20_000) })
      .catch((caught: unknown) => caught);
    expect(MillraceError.is(error, "fatal")).toBe(true);
    expect(error).toMatchObject({ cause: { name: "TypeError", message: "broken" } });
    // Again, long after it has ended: read instead of heard.
    await expect(dead.result()).rejects.toMatchObject({ code: "fatal" });
  });

  test("a running job is seen as running, and its result gives up when told to", async () => {
    const { client, open } = await scene();
    const handle = await client.enqueue(gated, null);
    await untilRunning(client, handle.id);
    // A node whose connection is away does not say that it runs the job.
    await server.calm();
    expect(await handle.status()).toMatchObject({ state: "running", attempts: 0, history: [] });
    await expect(handle.result({ timeout: 50 })).rejects.toMatchObject({ code: "result-timeout" });
    open();
    expect(await handle.result({ timeout: patient(20_000) })).toBe("through the gate");
  });

  test.each([
    ["before it has subscribed", false],
    ["while it waits", true],
  ])(
    "result() survives an outage that begins %s, and in which the job ends",
    async (_when, subscribed) => {
      const proxy = await startProxy(server.url);
      const { client, node, open } = await scene(proxy.url);
      const handle = await client.enqueue(gated, null);
      await untilRunning(client, handle.id);
      const disconnected = Promise.withResolvers<void>();
      client.broker.onStatus((status) => {
        if (status === "disconnected") disconnected.resolve();
      });
      const result = handle.result({ timeout: patient(20_000) });
      const settled = new Promise<void>(
        (resolve) => void node.events.on("job.settled", () => resolve()),
      );
      // The server answers in order: once it has told the status, the subscription is there.
      if (subscribed) await handle.status();
      proxy.cut();
      await within(disconnected.promise, 20_000, "the client notices the outage");
      open();
      await within(settled, 20_000, "the job is settled during the outage");
      proxy.heal();
      expect(await within(result, 20_000, "the result after the outage")).toBe("through the gate");
    },
  );

  test("an outage does not hold up the deadline of result()", async () => {
    const proxy = await startProxy(server.url);
    const { client } = await scene(proxy.url);
    const handle = await client.enqueue(gated, null);
    proxy.blackhole();
    const late = handle.result({ timeout: 100 }).catch((error: unknown) => error);
    expect(await within(late, 20_000, "result() gives up")).toMatchObject({
      code: "result-timeout",
    });
    proxy.heal();
  });

  test("in bulk: each job confirmed or with its own error, in order", async () => {
    const { client } = await scene();
    const items = Array.from({ length: 1_000 }, (_, n) => ({
      input: { n },
      id: n === 500 ? "not an id" : `bulk-${n % 999}`,
    }));
    const results = await client.enqueueMany(echo, items);
    expect(results).toHaveLength(1_000);
    expect(results[500]).toMatchObject({ ok: false, error: { code: "invalid-name" } });
    expect(results.filter((one) => !one.ok)).toHaveLength(1);
    expect(results[999]).toMatchObject({ ok: true, id: "bulk-0", duplicate: true });
    expect(
      await client.handle<number>("bulk-998", QUEUE).result({ timeout: patient(20_000) }),
    ).toBe(998);
  });

  test("what the server refuses has its code: a queue that isn't there, a payload too large", async () => {
    const { client } = await scene();
    await expect(
      client.enqueue(defineJob({ name: "x", queue: "nowhere" }), 1),
    ).rejects.toMatchObject({ code: "queue-not-found" });
    await expect(
      client.enqueue(broken, "x".repeat(client.broker.maxMessageBytes)),
    ).rejects.toMatchObject({ code: "payload-too-large" });
    await expect(client.enqueue(broken, { f: () => 1 })).rejects.toMatchObject({
      code: "unserializable-payload",
    });
  });

  test("retrying all dead letters retries each once, over several pages, although they die again", async () => {
    const { client } = await scene();
    const count = 450;
    await client.enqueueMany(
      broken,
      Array.from({ length: count }, (_, n) => ({ input: null, id: `b${n}` })),
    );
    const letters = async (): Promise<number> => (await client.queues.snapshot(QUEUE)).dead;
    await eventually(async () => (await letters()) === count, {
      ...{ withinMs: 60_000, everyMs: 200 },
      describe: "every job is dead",
    });
    const results = await client.dead.retry({ queue: QUEUE, reason: "fatal" });
    expect(results.filter(({ ok }) => ok)).toHaveLength(count);
    expect(new Set(results.map(({ id }) => id)).size).toBe(count);
    await eventually(async () => (await letters()) === count, {
      ...{ withinMs: 60_000, everyMs: 200 },
      describe: "every job is dead again",
    });
    for (const id of ["b0", "b449"]) {
      // The record of a death follows its letter.
      const { history } = await eventually(
        async () => {
          const job = await client.job(id);
          return job.history.length > 1 ? job : undefined;
        },
        { withinMs: 20_000, describe: `both deaths of ${id} are on record` },
      );
      expect(history.map(({ life = 0 }) => life)).toEqual([0, 1]);
    }
    await client.dead.discard({});
    // In a cluster a member may count that is a moment behind.
    await eventually(async () => (await letters()) === 0, {
      withinMs: 20_000,
      describe: "no letter is left",
    });
  }, 180_000);

  test("runNode answers health and metrics, and closes everything when it stops", async () => {
    const jobs = [echo.handler(({ input }) => input.n)];
    const running = await runNode({
      servers: server.url,
      namespace: server.namespace(),
      env: {},
      jobs,
      healthPort: 0,
      healthHost: "127.0.0.1",
    });
    onTestFinished(() => running.stop());
    // A node whose connection is away is not ready.
    await server.calm();
    expect((await fetch(`${running.healthUrl}/readyz`)).status).toBe(200);
    expect(await (await fetch(`${running.healthUrl}/metrics`)).text()).toMatch(
      /^millrace_node_ready\{.*\} 1$/m,
    );
    const taken = runNode({
      servers: server.url,
      env: {},
      jobs,
      healthPort: Number(new URL(running.healthUrl).port),
      healthHost: "127.0.0.1",
    });
    await expect(taken).rejects.toMatchObject({ code: "health-port-taken" });
    await running.stop();
    expect(running.node.state).toBe("stopped");
    await expect(fetch(`${running.healthUrl}/livez`)).rejects.toThrow();
  });
});

test("no server: a client says so, and a node that is told not to wait too", async () => {
  const nowhere = { servers: "nats://127.0.0.1:1", env: {} };
  await expect(connect(nowhere)).rejects.toMatchObject({ code: "server-unreachable" });
  await expect(
    createNode({ ...nowhere, waitForServer: false, jobs: [echo.handler(() => 1)] }),
  ).rejects.toMatchObject({ code: "server-unreachable" });
});

test("options in code are checked like any other source", async () => {
  await expect(connect({ namespace: "a.b", env: {} })).rejects.toMatchObject({
    code: "invalid-option",
    message: expect.stringContaining("option namespace") as string,
  });
  await expect(connect({ env: { MILLRACE_CONNECT_TIMEOUT: "soon" } })).rejects.toThrow(
    /MILLRACE_CONNECT_TIMEOUT/,
  );
});
