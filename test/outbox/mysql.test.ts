// An outbox in MariaDB and in MySQL, by mysql2: a real database, and a real server with relays that
// are killed.
import { join } from "node:path";
import { systemClock } from "@millrace/core";
import { MemoryBroker, MemoryServer } from "@millrace/testkit";
import { type BatchEnded, createNode, connect, defineJob, planJob } from "millrace";
import {
  createOutbox,
  mysqlOutbox,
  mysqlTransaction,
  type OutboxStore,
  startRelay,
} from "millrace/outbox";
import { type Connection, createConnection } from "mysql2/promise";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { startChild, type TestChild } from "../harness/child.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { type MysqlKind, mysqlMissing, startMysql, type TestMysql } from "../harness/mysql.ts";
import { describeEachServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: 240_000 });

const mail = defineJob<{ to: string }>({ name: "mail.send", queue: "mail" });
const report = defineJob<BatchEnded<null>>({ name: "report", queue: "reports" });
const outbox = createOutbox(mysqlTransaction);
const limits = { rows: 500, bytes: 8_000_000 };

describe.each<MysqlKind>(["MariaDB", "MySQL"])("%s", (kind) => {
  const missing = mysqlMissing(kind);
  const why = missing === undefined ? "" : `, skipped: ${missing}`;
  let server: TestMysql;
  let client: Connection;
  beforeAll(async () => {
    if (missing !== undefined) return;
    server = await startMysql(kind);
    client = await createConnection(server.url);
    client.on("error", () => {});
  });
  afterAll(async () => {
    await client?.end();
    await server?.remove();
  });

  async function emptied(): Promise<void> {
    const store = mysqlOutbox({ url: server.url });
    for (const _ of [1, 2]) await store.migrate();
    await store.close();
    for (const table of ["millrace_outbox", "millrace_outbox_claim", "millrace_outbox_batch"])
      await client.query(`TRUNCATE ${table}`);
  }

  /** Rolled back where the function throws. */
  async function inTransaction(act: (on: Connection) => Promise<void>): Promise<void> {
    await client.beginTransaction();
    try {
      await act(client);
      await client.commit();
    } catch (error) {
      await client.rollback();
      throw error;
    }
  }

  describe.skipIf(missing !== undefined)(`the outbox of a database${why}`, () => {
    let store: OutboxStore;
    let broker: MemoryBroker;
    let memory: MemoryServer;
    beforeEach(async () => {
      await emptied();
      store = mysqlOutbox({ url: server.url });
      memory = new MemoryServer(systemClock);
      broker = new MemoryBroker({ server: memory });
      for (const queue of ["mail", "reports"]) await broker.queues.ensure(queue);
    });
    afterEach(async () => {
      await store.close();
      await broker.close();
    });

    async function relay(): Promise<void> {
      const own = mysqlOutbox({ url: server.url });
      const running = await startRelay({ broker, store: own, pollMs: 50 });
      cleanUpLater(() => running.stop());
    }
    const waitingIs = (count: number): Promise<unknown> =>
      eventually(
        async () => (await store.status()).reduce((sum, one) => sum + one.waiting, 0) === count,
        { withinMs: 60_000, describe: `${count} rows wait` },
      );
    const queued = async (queue = "mail") =>
      (await broker.listWaiting(queue, { limit: 5_000 })).map(({ envelope }) => envelope);

    test("the hour that comes twice when clocks are put back is two hours", async () => {
      // Half past two in Berlin, where this server stands, both times.
      const seconds = [1_761_438_600, 1_761_442_200];
      for (const at of seconds) {
        await client.query(`SET timestamp = ${at}`);
        await outbox(client).enqueue(mail, { to: "a" });
      }
      await client.query("SET timestamp = DEFAULT");
      const [rows] = await client.query(
        "SELECT created_at AS at FROM millrace_outbox ORDER BY seq",
      );
      expect(rows).toEqual(seconds.map((at) => ({ at: at * 1_000 })));
    });

    test("what is committed is published with all that was said of it, what is rolled back never", async () => {
      await relay();
      await expect(
        inTransaction(async (tx) => {
          await outbox(tx).enqueue(mail, { to: "never" });
          throw new Error("undo");
        }),
      ).rejects.toThrow("undo");
      const to = `ada's "mail" \\ ? $1 ü 🦉`;
      await inTransaction(async (tx) => {
        await outbox(tx).enqueue(
          mail,
          { to },
          { id: "a", priority: "high", headers: { "x-shop": `7 ' ü` }, unique: { key: "k" } },
        );
        await outbox(tx).enqueueMany(mail, [
          { id: "b", input: { to: "b" } },
          { id: "c", input: { to: "c" } },
        ]);
        expect(await queued()).toEqual([]);
      });
      await waitingIs(0);
      const jobs = await queued();
      expect(jobs.map(({ id }) => id)).toEqual(["a", "b", "c"]);
      expect(jobs[0]).toMatchObject({
        payload: { to },
        lane: "high",
        headers: { "x-shop": `7 ' ü` },
      });
      expect(jobs[1]?.lane).toBeUndefined();
    });

    test("a batch, a chain and a message are written as in PostgreSQL", async () => {
      memory.messages.taken.add("orders.paid");
      await inTransaction(async (tx) => {
        await outbox(tx).batch([planJob(mail, { to: "x" }, { id: "x" })], {
          id: "b",
          callback: { job: report, input: null },
        });
        await outbox(tx).chain(mail, { to: "y" }, { id: "y" }).enqueue();
        await outbox(tx).publish("orders.paid", { cents: 5 }, { id: "m" });
      });
      await relay();
      await waitingIs(0);
      expect((await queued()).map(({ id }) => id).toSorted()).toEqual(["x", "y"]);
      expect(await broker.batches.left("b")).toBe(1);
      expect(memory.messages.stored.map(({ id }) => id)).toEqual(["m"]);
      expect(await store.batches({ olderThanMs: -60_000, after: undefined, limit: 9 })).toEqual([
        "b",
      ]);
      await store.forgetBatches(["b"]);
      expect(await store.batches({ olderThanMs: -60_000, after: undefined, limit: 9 })).toEqual([]);
    });

    test("a backlog goes out in its order, by two relays", async () => {
      const items = Array.from({ length: 2_500 }, (_, n) => ({ id: `j${n}`, input: { to: "x" } }));
      await outbox(client).enqueueMany(mail, items);
      await relay();
      await relay();
      await waitingIs(0);
      expect((await queued()).map(({ id }) => id)).toEqual(items.map(({ id }) => id));
    });

    test("a transaction that stays open holds up no other, and its jobs come late", async () => {
      const late = await createConnection(server.url);
      cleanUpLater(() => late.end());
      await late.beginTransaction();
      await outbox(late).enqueue(mail, { to: "late" }, { id: "late" });
      await outbox(client).enqueue(mail, { to: "a" }, { id: "a" });
      await relay();
      await waitingIs(0);
      expect((await queued()).map(({ id }) => id)).toEqual(["a"]);
      await late.commit();
      await eventually(async () => (await queued()).length === 2, {
        withinMs: 60_000,
        describe: "the late job is in the queue",
      });
    });

    test("a row that can't be published is set aside with its reason, and tried again on demand", async () => {
      await client.query("INSERT INTO millrace_outbox (id, queue, body) VALUES ('x', 'mail', '?')");
      const traceId = "a".repeat(32);
      const headers = JSON.stringify({ traceparent: `00-${traceId}-00f067aa0ba902b7-01` });
      await client.query("UPDATE millrace_outbox SET headers = ?", [headers]);
      await outbox(client).enqueue(mail, { to: "a" }, { id: "a" });
      await relay();
      await waitingIs(0);
      expect((await queued()).map(({ id }) => id)).toEqual(["a"]);
      const aside = { id: "x", reason: "undecodable", traceId };
      expect(await store.listSetAside(10)).toMatchObject([aside]);
      const body = Buffer.from('{"name":"mail.send","payload":{"to":"x"}}');
      await client.query("UPDATE millrace_outbox SET body = ?", [body]);
      expect(await store.retry("reports")).toBe(0);
      expect(await store.retry()).toBe(1);
      await eventually(async () => (await queued()).length === 2, {
        withinMs: 60_000,
        describe: "the mended row is published",
      });
    });

    test("why rows wait is told, and a claim's finish that comes late takes nothing away", async () => {
      await outbox(client).enqueue(mail, { to: "a" }, { id: "a" });
      await store.mark("mail");
      await store.note("mail", "queue-full: it is full");
      expect(await store.status()).toMatchObject([
        { queue: "mail", waiting: 1, trouble: { message: "queue-full: it is full" } },
      ]);
      await store.note("mail", undefined);
      expect((await store.status())[0]).not.toHaveProperty("trouble");
      const first = await store.claim("mail", limits);
      const again = await store.claim("mail", limits);
      if (first === undefined) throw new Error("there is a row");
      expect([first.isNew, again?.isNew, again?.id]).toEqual([true, false, first.id]);
      await store.finish("mail", first, []);
      await outbox(client).enqueue(mail, { to: "b" }, { id: "b" });
      const next = await store.claim("mail", limits);
      await store.finish("mail", first, []);
      await store.setAside("mail", first, [
        { seq: next?.rows[0]?.seq ?? 0, reason: "r", detail: "d" },
      ]);
      expect((await store.claim("mail", limits))?.rows.map(({ id }) => id)).toEqual(["b"]);
    });

    test("a claim has so many bytes, and one row in any case", async () => {
      await outbox(client).enqueueMany(
        mail,
        ["a", "b", "c"].map((id) => ({ id, input: { to: "x".repeat(1_000) } })),
      );
      await store.mark("mail");
      const claim = await store.claim("mail", { rows: 500, bytes: 1_500 });
      expect(claim?.rows.map(({ id }) => id)).toEqual(["a", "b"]);
    });

    test("effects exactly once are for PostgreSQL, and say so", async () => {
      const job = { queue: "mail", id: "a", createdAt: 1 };
      const run = { job, signal: new AbortController().signal } as never;
      const shop = outbox.database((act) => act(client));
      await expect(shop.once(run, async () => 1)).rejects.toMatchObject({
        code: "invalid-option",
      });
    });

    test("a database without the tables is told of", async () => {
      const other = await createConnection(server.url);
      cleanUpLater(() => other.end());
      await other.query("CREATE DATABASE IF NOT EXISTS bare");
      const bare = mysqlOutbox({ url: server.url.replace(/shop$/, "bare") });
      cleanUpLater(() => bare.close());
      await expect(bare.queues()).rejects.toThrow("millrace outbox migrate");
    });
  });

  describeEachServer(`an outbox in ${kind}${why}`, (nats) => {
    const charge = defineJob<{ order: number }>({ name: "charge", queue: "orders" });

    test.skipIf(missing !== undefined)(
      "two relays and the database are killed, and what is committed runs once each",
      async () => {
        await emptied();
        await client.query("DROP TABLE IF EXISTS orders");
        await client.query("CREATE TABLE orders (id int PRIMARY KEY)");
        const namespace = nats.namespace();
        const millrace = await connect({ servers: nats.url, namespace, env: {} });
        cleanUpLater(() => millrace.close());
        // So short that only the marks can tell; a server without them needs the ids.
        const dedupeWindowMs = nats.generation === "newest" ? 100 : 120_000;
        await millrace.queues.ensure("orders", { dedupeWindowMs });
        const runs = new Map<number, number>();
        const node = await createNode({
          ...{ servers: nats.url, namespace, env: {}, queues: { orders: 20 } },
          jobs: [
            charge.handler(
              ({ input: { order } }) => void runs.set(order, (runs.get(order) ?? 0) + 1),
            ),
          ],
        });
        await node.start();
        cleanUpLater(() => node.stop());
        const relayProcess = async (): Promise<TestChild> => {
          const child = startChild(join(import.meta.dirname, "relay-program.ts"), {
            args: [nats.url, namespace, server.url],
          });
          await child.line(/^ready$/, 120_000);
          return child;
        };
        let next = 1;
        async function order(): Promise<void> {
          const first = next;
          next += 7;
          await client.beginTransaction();
          for (let id = first; id < first + 5; id += 1) {
            await client.query("INSERT INTO orders (id) VALUES (?)", [id]);
            await outbox(client).enqueue(charge, { order: id });
          }
          await (first % 3 === 0 ? client.rollback() : client.commit());
        }
        const relays = await Promise.all([relayProcess(), relayProcess()]);
        for (let kills = 0; kills < 3; kills += 1) {
          const before = runs.size;
          const writing = (async () => {
            for (let batch = 0; batch < 25; batch += 1) await order();
          })();
          await eventually(() => runs.size > before + 20, {
            withinMs: 120_000,
            describe: "jobs of this round run",
          });
          const place = kills % relays.length;
          await relays[place]?.kill();
          await writing;
          if (kills === 1) {
            await server.kill();
            await server.start();
            client = await createConnection(server.url);
            client.on("error", () => {});
          }
          relays[place] = await relayProcess();
        }
        const [found] = await client.query("SELECT id FROM orders ORDER BY id");
        const committed = (found as { readonly id: number }[]).map(({ id }) => id);
        await eventually(
          async () => {
            const [rows] = await client.query("SELECT 1 FROM millrace_outbox LIMIT 1");
            return (rows as unknown[]).length === 0 && committed.every((id) => runs.has(id));
          },
          {
            withinMs: 120_000,
            everyMs: 100,
            describe: () => `${committed.length} orders have run`,
          },
        );
        expect(committed.length).toBeGreaterThan(200);
        expect([...runs.keys()].toSorted((a, b) => a - b)).toEqual(committed);
        expect([...runs.values()].filter((count) => count !== 1)).toEqual([]);
        await Promise.all(relays.map((relay) => relay.kill()));
      },
    );
  });
});
