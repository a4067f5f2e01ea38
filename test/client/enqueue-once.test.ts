import { connect as connectNats, headers } from "@nats-io/transport-node";
import {
  type BatchEnded,
  type BatchHandle,
  type ChainHandle,
  connect,
  defineJob,
  type Millrace,
  type OnceOptions,
  planJob,
} from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { patientManager } from "../harness/administrator.ts";
import { eventually, within } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { startProxy } from "../harness/proxy.ts";
import { describeEachServer } from "../harness/servers.ts";

const QUEUE = "orders";
const order = defineJob<{ n: number }, { n: number }, number>({ name: "order", queue: QUEUE });
const PATIENCE_MS = 60_000;

/** Forgets ids at once. */
const FORGETFUL = { dedupeWindowMs: 100 };

async function clientOf(
  url: string,
  namespace: string,
  settings: object = FORGETFUL,
): Promise<Millrace> {
  const client = await connect({ servers: url, namespace, env: {} });
  onTestFinished(() => client.close());
  await client.broker.queues.ensure(QUEUE, settings);
  return client;
}

/** Until a job that is stored now is forgotten too. */
async function forgotten(client: Millrace): Promise<void> {
  const plain = { id: "plain", once: false };
  const again = async (): Promise<boolean> =>
    (await client.enqueue(order, { n: 0 }, plain)).duplicate;
  await again();
  await eventually(async () => !(await again()), {
    withinMs: PATIENCE_MS,
    describe: "the queue has forgotten an id",
  });
}

describeEachServer("an id that was given", (server) => {
  test.each([
    ["as it is", {}],
    ["and is looked up in the queue too", { once: true }],
  ])(
    "%s stores nothing where its job waits or has ended, though the queue has forgotten the id",
    async (_, asked) => {
      const namespace = server.namespace();
      const client = await clientOf(server.url, namespace);
      const once = { id: "order-7", ...asked };
      const later = { id: "order-8", ...asked };
      // In a cluster's test the first enqueue may find its own job, whose answer got lost.
      const first = await client.enqueue(order, { n: 1 }, once);
      await client.enqueue(order, { n: 1 }, { ...later, delay: "2h" });
      await forgotten(client);
      expect(await client.enqueue(order, { n: 2 }, once)).toMatchObject({ duplicate: true });
      const ran: number[] = [];
      await startNodeOnServer(server, {
        namespace,
        jobs: [
          order.handler(({ input, job }) => {
            if (job.id === first.id) ran.push(input.n);
            return input.n;
          }),
        ],
      });
      const timeout = PATIENCE_MS;
      expect(await first.result({ timeout })).toBe(1);
      const again = await client.enqueue(order, { n: 3 }, once);
      expect(again.duplicate).toBe(true);
      expect(await again.result({ timeout })).toBe(1);
      await eventually(async () => (await client.job(later.id)).state === "delayed", {
        withinMs: PATIENCE_MS,
        describe: "the other job waits for its time",
      });
      expect(await client.enqueue(order, { n: 3 }, later)).toMatchObject({ duplicate: true });
      // Behind whatever might have been stored.
      const last = await client.enqueue(order, { n: 4 });
      expect(await within(last.result(), PATIENCE_MS, "the last job")).toBe(4);
      expect(ran).toEqual([1]);
    },
  );

  test.each([
    ["as it is", {}],
    ["and is looked up in the queue too", { once: true }],
  ])(
    "%s tells how its own job ends, though another that used the id on purpose ended sooner",
    async (_, asked) => {
      const namespace = server.namespace();
      const client = await clientOf(server.url, namespace);
      const mayEnd = Promise.withResolvers<void>();
      onTestFinished(() => mayEnd.resolve());
      await startNodeOnServer(server, {
        namespace,
        jobs: [
          order.handler(async ({ input }) => {
            if (input.n === 1) await mayEnd.promise;
            return input.n;
          }),
        ],
      });
      const once = { id: "order-9", ...asked };
      await client.enqueue(order, { n: 1 }, once);
      await forgotten(client);
      const again = await client.enqueue(order, { n: 2 }, once);
      expect(again.duplicate).toBe(true);
      const end = again.result({ timeout: PATIENCE_MS });
      const other = await client.enqueue(order, { n: 3 }, { id: once.id, once: false });
      expect(other.duplicate).toBe(false);
      expect(await other.result({ timeout: PATIENCE_MS })).toBe(3);
      mayEnd.resolve();
      expect(await end).toBe(1);
    },
  );

  test("keeps out a chain and a batch as it keeps out a job, while they wait and once they have ended; another chain is asked for", async () => {
    const namespace = server.namespace();
    const client = await clientOf(server.url, namespace);
    const ran: string[] = [];
    const link = defineJob<unknown>({ name: "link", queue: QUEUE });
    const told = defineJob<BatchEnded>({ name: "told", queue: QUEUE });
    const far = defineJob<unknown>({ name: "far", queue: "elsewhere" });
    await client.broker.queues.ensure(far.queue, FORGETFUL);
    const chainAway = (): Promise<ChainHandle<unknown>> =>
      client.chain(link, 1, { id: "away-1" }).next(far).enqueue();
    const chain = (options: object = {}): Promise<ChainHandle<unknown>> =>
      client
        .chain(link, 1, { id: "chain-1", ...options })
        .next(link)
        .enqueue();
    const batch = (): Promise<BatchHandle> =>
      client.batch(
        ["a", "b"].map((id) => planJob(link, id, { id })),
        { id: "batch-1", callback: { job: told, input: null } },
      );
    const first = await chain();
    const away = await chainAway();
    const made = await batch();
    await forgotten(client);
    expect((await chainAway()).jobs[0]).toMatchObject({ duplicate: true });
    expect((await chain()).jobs[0]).toMatchObject({ duplicate: true });
    expect((await batch()).jobs).toMatchObject([{ duplicate: true }, { duplicate: true }]);
    await startNodeOnServer(server, {
      namespace,
      jobs: [
        link.handler(({ job }) => void ran.push(job.id)),
        far.handler(({ job }) => void ran.push(job.id)),
        told.handler(({ job }) => void ran.push(job.id)),
        order.handler(({ input }) => input.n),
      ],
    });
    const timeout = PATIENCE_MS;
    await first.result({ timeout });
    await away.result({ timeout });
    await made.result({ timeout });
    await forgotten(client);
    expect((await chain()).jobs[0]).toMatchObject({ duplicate: true });
    expect((await chainAway()).jobs[0]).toMatchObject({ duplicate: true });
    const again = await batch();
    expect(again.refused).toEqual([]);
    expect(await again.left()).toBe(0);
    await again.result({ timeout });
    // Behind whatever might have been stored.
    await (await client.enqueue(order, { n: 4 })).result({ timeout });
    const once = ["a", "away-1", "away-1:2", "b", "batch-1:callback", "chain-1", "chain-1:2"];
    expect(ran.toSorted()).toEqual(once);
    const another = await chain({ once: false });
    expect(another.jobs[0]).toMatchObject({ duplicate: false });
    await eventually(() => ran.length === once.length + 2, {
      withinMs: PATIENCE_MS,
      describe: "the other chain has ended",
    });
  });

  test("costs four small reads and its publish, however long the queue; one that was made costs its publish", async () => {
    // What a dying leader is asked is asked again.
    await server.calm();
    const namespace = server.namespace();
    const proxy = await startProxy(server.url);
    const client = await clientOf(proxy.url, namespace);
    await client.enqueue(order, { n: 1 }, { id: "first" });
    const backlog = Array.from({ length: 2_000 }, (_, n) => ({ id: `b-${n}`, input: { n } }));
    const stored = await client.enqueueMany(order, backlog);
    expect(stored.every((one) => one.ok && !one.duplicate)).toBe(true);
    await forgotten(client);
    const sent: string[] = [];
    proxy.dropToServer(({ subject }) => {
      sent.push(subject.replaceAll(namespace, "<ns>"));
      return false;
    });
    const cost = async (options: OnceOptions, duplicate: boolean): Promise<readonly string[]> => {
      sent.length = 0;
      expect(await client.enqueue(order, { n: 2 }, options)).toMatchObject({ duplicate });
      // What a busy server does not answer within two seconds is sent again.
      return [...new Set(sent)];
    };
    const [inQueue, ...others] = [
      `$JS.API.STREAM.MSG.GET.<ns>-queue-${QUEUE}`,
      "$JS.API.STREAM.MSG.GET.<ns>-history",
      "$JS.API.STREAM.MSG.GET.<ns>-dead",
      "$JS.API.STREAM.MSG.GET.<ns>-delayed",
    ];
    expect(await cost({ id: "first" }, true)).toEqual([inQueue]);
    expect(await cost({ id: "b-1999", priority: "high" }, true)).toEqual([inQueue]);
    expect(await cost({ id: "new", priority: "low" }, false)).toEqual([
      inQueue,
      ...others,
      `<ns>.jobs.${QUEUE}.low.new`,
    ]);
    expect(await cost({}, false)).toEqual([`<ns>.jobs.${QUEUE}`]);
    expect(await cost({ id: "window", once: false }, false)).toEqual([`<ns>.jobs.${QUEUE}`]);
  });

  test("many at once, also as one: only those that are new are stored", async () => {
    const client = await clientOf(server.url, server.namespace());
    await client.enqueue(order, { n: 1 }, { id: "b" });
    await forgotten(client);
    const items = ["a", "b", "c"].map((id) => ({ id, input: { n: 2 } }));
    const duplicates = async (options = {}): Promise<readonly boolean[]> =>
      (await client.enqueueMany(order, items, options)).map((one) => one.ok && one.duplicate);
    expect(await duplicates()).toEqual([false, true, false]);
    await forgotten(client);
    if (client.broker.marks === undefined) return;
    expect(await duplicates({ atomic: true })).toEqual([true, true, true]);
  });

  test("is in the queue once where its publish is not confirmed and the queue forgets it meanwhile", async () => {
    const proxy = await startProxy(server.url);
    const client = await clientOf(proxy.url, server.namespace());
    let lost = 0;
    proxy.dropFromServer(({ payload }) => isPubAck(payload) && (lost += 1) === 1);
    expect((await client.enqueue(order, { n: 1 }, { id: "a" })).id).toBe("a");
    expect(lost).toBeGreaterThan(0);
    expect(await client.jobs.count({ queue: QUEUE, state: "queued" })).toBe(1);
  });

  test("is in the queue once where several ask at once, for whichever lane", async () => {
    const client = await clientOf(server.url, server.namespace(), {});
    const lanes = ["normal", "high", "low", "normal"] as const;
    const handles = await Promise.all(
      lanes.map((priority) => client.enqueue(order, { n: 1 }, { id: "a", priority })),
    );
    expect(handles.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    expect(await client.jobs.count({ queue: QUEUE, state: "queued" })).toBe(1);
  });

  test("a queue of a version that knew no such subjects takes its jobs as before", async () => {
    const namespace = server.namespace();
    const client = await clientOf(server.url, namespace);
    await using nc = await connectNats({ servers: server.url });
    const jsm = await patientManager(nc);
    const stream = `${namespace}-queue-${QUEUE}`;
    const { config } = await jsm.streams.info(stream);
    const subjects = config.subjects.filter((subject) => !subject.endsWith("*"));
    await jsm.streams.update(stream, { ...config, subjects });
    expect(await client.enqueue(order, { n: 1 }, { id: "a" })).toMatchObject({ duplicate: false });
    const ran: string[] = [];
    // A node of today brings them.
    await startNodeOnServer(server, {
      namespace,
      jobs: [order.handler(({ job }) => ran.push(job.id))],
    });
    expect((await jsm.streams.info(stream)).config.subjects).toEqual(config.subjects);
    await client.enqueue(order, { n: 2 }, { id: "b" });
    await within(client.handle("b", QUEUE).result(), PATIENCE_MS, "the second job");
    expect(ran).toEqual(["a", "b"]);
  });

  test("is the one that its subject names, or its message is buried; no other queue hears of it", async () => {
    const namespace = server.namespace();
    const client = await clientOf(server.url, namespace);
    await client.broker.queues.ensure("other", FORGETFUL);
    await using nc = await connectNats({ servers: server.url });
    const send = async (subject: string, body: object, head: Readonly<Record<string, string>>) => {
      const given = headers();
      for (const [name, value] of Object.entries(head)) given.set(name, value);
      return (
        await nc.request(`${namespace}.jobs.${QUEUE}.${subject}`, JSON.stringify(body), {
          headers: given,
          timeout: PATIENCE_MS,
        })
      ).json<{ error?: { err_code: number } }>();
    };
    const forged = async (subject: string, body: object, id: string): Promise<void> =>
      expect(await send(subject, body, { "Nats-Msg-Id": id })).not.toHaveProperty("error");
    const { name } = order;
    const payload = { n: 1 };
    await forged("normal.mine", { name, payload, id: "yours" }, "x");
    await forged("high.mine", { name, payload }, "theirs");
    await forged("low.mine", { name, payload, id: "mine" }, "z");
    // As docs/wire-protocol.md says it of any client.
    const once = { "Nats-Expected-Last-Subject-Sequence": "0" };
    const again = await send("low.mine", { name, payload, id: "mine" }, once);
    expect(again.error?.err_code).toBe(10_071);
    const ran: string[] = [];
    await startNodeOnServer(server, {
      namespace,
      jobs: [order.handler(({ job }) => ran.push(job.id))],
    });
    await within(client.handle("mine", QUEUE).result(), PATIENCE_MS, "the honest one");
    const letters = await eventually(
      async () => {
        const found = await client.broker.deadLetters.list({ queue: QUEUE });
        return found.length === 2 ? found : undefined;
      },
      { withinMs: PATIENCE_MS, describe: "both forged ones are buried" },
    );
    expect(letters.map(({ reason }) => reason)).toEqual(["invalid-envelope", "invalid-envelope"]);
    expect(ran).toEqual(["mine"]);
    const other = defineJob<{ n: number }>({ name: "order", queue: "other" });
    expect(await client.enqueue(other, { n: 1 }, { id: "mine" })).toMatchObject({
      duplicate: false,
    });
  });
});

function isPubAck(payload: Buffer): boolean {
  return payload.toString().startsWith('{"stream":"');
}
