import { type EnqueueOptions, type HistoryRecord, UNIQUE_BUCKET } from "@millrace/core";
import { cancel, connect, createNode } from "millrace";
import { encode } from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import { bareClient } from "../harness/bare-client.ts";
import { millraceHere } from "../cli/millrace.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { indexJob, QUEUE, type Update } from "./index-job.ts";
import { patient } from "../harness/cluster/mode.ts";

type Rule = Parameters<typeof indexJob>[0];

describeEachServer("unique jobs", (server) => {
  /** A queue with a client, and a node when it is asked for. */
  async function scene(rule: Rule = {}) {
    const namespace = server.namespace();
    const options = { servers: server.url, namespace, env: {} };
    const client = await connect(options);
    cleanUpLater(() => client.close());
    await client.queues.ensure(QUEUE);
    const job = indexJob(rule);
    const ran: number[] = [];
    const bare = await bareClient(server);
    const node = async (slots = 4) => {
      const made = await createNode({
        ...options,
        slots,
        jobs: [
          job.handler(({ input }) => {
            ran.push(input.version);
            if (input.end === "fail") throw new Error("no");
            return input.end === "cancel" ? cancel("unwanted") : input.version;
          }),
        ],
      });
      cleanUpLater(() => made.stop());
      await made.start();
    };
    const ended = (id: string): Promise<HistoryRecord> =>
      eventually(
        async () => {
          const last = (await client.broker.history.read({ id, queue: QUEUE })).at(-1);
          return last?.state === "requeued" ? undefined : last;
        },
        { withinMs: 20_000, describe: `job ${id} has ended` },
      );
    return {
      namespace,
      client,
      job,
      ran,
      node,
      ended,
      enqueue: (version: number, options: EnqueueOptions = {}, end: Update["end"] = "succeed") =>
        client.enqueue(job, { doc: "a", version, end }, { id: `v${version}`, ...options }),
      /** What any NATS client does: a map with a name, a payload and the key. */
      publish: async (version: number, fields: object = {}) => {
        const body = encode({
          name: "index",
          payload: { doc: "a", version },
          uniqueKey: "a",
          id: `v${version}`,
          ...fields,
        });
        const ack = await bare.publish(`${namespace}.jobs.${QUEUE}`, body, {
          "Nats-Msg-Id": `v${version}`,
        });
        expect(ack.error).toBeUndefined();
      },
    };
  }

  describe("from producers that only set uniqueKey", () => {
    test.each<[string, Rule]>([
      ["until the start", { while: "pending" }],
      ["until the end", { while: "running" }],
      ["for a window", { while: { window: "1h" } }],
    ])("%s: one runs, and the others say whose key it is", async (_what, rule) => {
      const { publish, node, ended, ran } = await scene(rule);
      for (let version = 1; version <= 8; version += 1) await publish(version);
      await node();
      const ends = await Promise.all(Array.from({ length: 8 }, (_, n) => ended(`v${n + 1}`)));
      expect(ran).toHaveLength(1);
      const winner = `v${ran[0]}`;
      for (const { id, state, reason } of ends)
        if (id === winner) expect(state).toBe("succeeded");
        else {
          expect(state).toBe("cancelled");
          expect(reason).toContain(winner);
        }
    });

    test("debounce: of many in a row the last runs", async () => {
      // An election between two publishes is longer than what is debounced.
      await server.calm();
      const { publish, node, ended, ran } = await scene({ onConflict: { debounce: "5s" } });
      await node();
      for (let version = 1; version <= 10; version += 1) await publish(version);
      await Promise.all(Array.from({ length: 10 }, (_, n) => ended(`v${n + 1}`)));
      expect(ran).toEqual([10]);
    });

    test("one for later holds its key from when a node first sees it", async () => {
      const { client, publish, enqueue, node } = await scene();
      await node();
      await publish(1, { notBefore: Date.now() + 60_000 });
      const claims = await client.broker.documents(UNIQUE_BUCKET);
      await eventually(async () => (await claims.list()).length > 0, {
        withinMs: 20_000,
        describe: "the node has claimed the key",
      });
      expect(await enqueue(2)).toMatchObject({ id: "v1", conflict: { kind: "kept" } });
    });
  });

  test.each(["pending", "running"] as const)(
    "while %s: whoever enqueues meanwhile is given the holder's id, in bulk too",
    async (during) => {
      const { client, enqueue, job, node, ran } = await scene({ while: during });
      expect(await enqueue(1)).toMatchObject({ id: "v1", duplicate: false });
      expect(await enqueue(2)).toMatchObject({
        id: "v1",
        duplicate: true,
        conflict: { kind: "kept", key: "a" },
      });
      const results = await client.enqueueMany(job, [
        { input: { doc: "a", version: 3 } },
        { input: { doc: "b", version: 4 }, id: "v4" },
        { input: { doc: "b", version: 5 } },
      ]);
      expect(results).toMatchObject([
        { id: "v1", conflict: { kind: "kept" } },
        { id: "v4", duplicate: false },
        { id: "v4", conflict: { kind: "kept" } },
      ]);
      await node();
      await (await enqueue(1)).result({ timeout: patient(20_000) });
      await client.handle("v4", QUEUE).result({ timeout: patient(20_000) });
      expect(ran.toSorted()).toEqual([1, 4]);
    },
  );

  test.each<[string, Update["end"], EnqueueOptions]>([
    ["succeeded", "succeed", {}],
    ["dead", "fail", {}],
    ["cancelled", "cancel", {}],
    ["expired", "succeed", { expiresIn: 1 }],
  ])(
    "the key is free at once for whoever learns that its job is %s",
    async (state, end, options) => {
      const { client, enqueue, node } = await scene({ while: "running" });
      if (state !== "expired") await node();
      const handle = await enqueue(1, options, end);
      if (state === "expired") await node();
      await handle.result({ timeout: patient(20_000) }).catch(() => {});
      expect((await client.job("v1")).state).toBe(state);
      const next = await enqueue(2);
      expect(next).toMatchObject({ id: "v2", duplicate: false });
      expect(await next.result({ timeout: patient(20_000) })).toBe(2);
    },
  );

  test("debounce: of many rapid enqueues one runs, with the last payload", async () => {
    // An election between two enqueues is longer than what is debounced.
    await server.calm();
    const { enqueue, node, ran, ended } = await scene({ onConflict: { debounce: "5s" } });
    await node();
    for (let version = 1; version <= 25; version += 1) {
      const handle = await enqueue(version);
      expect(handle.conflict).toEqual(
        version === 1 ? undefined : { kind: "replaced", key: "a", id: `v${version - 1}` },
      );
    }
    await ended("v25");
    await Promise.all(Array.from({ length: 24 }, (_, n) => ended(`v${n + 1}`)));
    expect(ran).toEqual([25]);
  });

  test("window: the key is free when its time is over by the server's clock", async () => {
    const { enqueue, node } = await scene({ while: { window: "2s" } });
    await node();
    // An election between the two enqueues is longer than the window.
    await server.calm();
    await (await enqueue(1)).result({ timeout: patient(20_000) });
    expect(await enqueue(2)).toMatchObject({ id: "v1", conflict: { kind: "kept" } });
    let version = 2;
    await eventually(async () => !(await enqueue((version += 1))).duplicate, {
      withinMs: 20_000,
      everyMs: 100,
      describe: "the window is over",
    });
  });

  test("a claim is one small document, without the key itself", async () => {
    const { client, enqueue } = await scene({ while: { window: "1h" } });
    await enqueue(1);
    const [claim, ...others] = await (await client.broker.documents(UNIQUE_BUCKET)).list();
    expect(others).toEqual([]);
    expect(claim).toMatchObject({
      key: expect.stringMatching(/^index\.[\w-]{32}$/) as string,
      value: { id: "v1", state: "claimed", while: { windowMs: 3_600_000 } },
    });
  });

  test("the command enqueues with a key, and says who holds it", async () => {
    const { namespace, node, ended } = await scene();
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
    const enqueue = (id: string, ...more: string[]) =>
      millraceHere(
        ["enqueue", "index", '{"doc":"a","version":1}', "--queue", QUEUE, "--id", id, ...more],
        { env },
      );
    const key = ["--unique-key", "k", "--unique-while", "pending"];
    await enqueue("c1", ...key);
    expect((await enqueue("c2", ...key, "--json")).json()).toEqual({
      id: "c1",
      queue: QUEUE,
      duplicate: true,
      conflict: { kind: "kept", key: "k" },
    });
    expect((await enqueue("c3", ...key, "--on-conflict", "replace")).out).toContain(
      "enqueued c3 on queue index, in place of c1",
    );
    expect((await enqueue("c4", "--unique-while", "pending")).code).not.toBe(0);
    await node();
    expect(await ended("c1")).toMatchObject({ state: "cancelled" });
    expect(await ended("c3")).toMatchObject({ state: "succeeded" });
  });
});
