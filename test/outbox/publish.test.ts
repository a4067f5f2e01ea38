// Messages to streams and listeners that have nothing to do with Millrace, by an outbox in
// PostgreSQL.
import { join } from "node:path";
import { jetstreamManager, type JetStreamManager } from "@nats-io/jetstream";
import { connect as connectBare, type NatsConnection } from "@nats-io/transport-node";
import { connect, createNode, defineJob } from "millrace";
import {
  beginOnPool,
  createOutbox,
  type OutboxStore,
  pgTransaction,
  postgresOutbox,
  startRelay,
} from "millrace/outbox";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { startChild, type TestChild } from "../harness/child.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { postgresMissing } from "../harness/postgres.ts";
import { describeEachServer } from "../harness/servers.ts";
import { type OutboxDatabase, outboxDatabase } from "./outbox-database.ts";

vi.setConfig({ testTimeout: 240_000 });

const missing = postgresMissing();
const outbox = createOutbox(pgTransaction);

/** `relay` is a node's user that may publish three subjects more; `eve` is the administrator. */
const CONFIG = `
authorization {
  users: [
    {
      user: relay, password: relay
      permissions: {
        publish: ["millrace.>", "$KV.>", "$JS.API.>", "$JS.ACK.>", "_INBOX.>", "shop.paid", "shop.lost", "pulse"]
        subscribe: ["millrace.>", "$KV.>", "_INBOX.>"]
      }
    }
    { user: eve, password: eve }
  ]
}`;
const eve = { user: "eve", pass: "eve" };

describeEachServer(
  `messages of an outbox${missing === undefined ? "" : `, skipped: ${missing}`}`,
  (server) => {
    let database: OutboxDatabase;
    let store: OutboxStore;
    let nc: NatsConnection;
    let jsm: JetStreamManager;
    beforeAll(async () => {
      if (missing !== undefined) return;
      database = await outboxDatabase();
    });
    afterAll(() => database?.close());
    beforeEach(async () => {
      if (missing !== undefined) return;
      await database.pool.query("TRUNCATE millrace_outbox, millrace_outbox_claim");
      store = postgresOutbox({ url: database.postgres.url });
      cleanUpLater(() => store.close());
      // A bare client has nothing that asks again while there is no leader.
      await server.calm();
      nc = await connectBare({ servers: server.url, ...eve });
      cleanUpLater(() => nc.close());
      jsm = await jetstreamManager(nc);
      await jsm.streams.add({ name: "SHOP", subjects: ["shop.paid", "shop.secret"] });
      cleanUpLater(async () => void (await jsm.streams.delete("SHOP")));
    });

    const as = (user: "relay" | "eve") => ({
      ...{ servers: server.url, user, password: user, env: {} },
    });

    async function relayAs(user: "relay" | "eve"): Promise<void> {
      const millrace = await connect(as(user));
      const relay = await startRelay({
        broker: millrace.broker,
        store: postgresOutbox({ url: database.postgres.url }),
        pollMs: 200,
      });
      cleanUpLater(async () => {
        await relay.stop();
        await millrace.close();
      });
    }

    async function relayProcess(): Promise<TestChild> {
      const url = new URL(server.url);
      url.username = "eve";
      url.password = "eve";
      const child = startChild(join(import.meta.dirname, "relay-program.ts"), {
        args: [url.href, "millrace", database.postgres.url],
      });
      await child.line(/^ready$/, 120_000);
      return child;
    }

    const rowsAre = (count: number): Promise<unknown> =>
      eventually(
        async () => {
          const { rows } = await database.pool.query(
            "SELECT 1 FROM millrace_outbox WHERE set_aside_at IS NULL",
          );
          return rows.length === count;
        },
        { withinMs: 60_000, describe: `${count} rows wait` },
      );

    const inStream = async (): Promise<number> => (await jsm.streams.info("SHOP")).state.messages;

    async function message(seq: number): Promise<Record<string, unknown>> {
      const found = await jsm.streams.getMessage("SHOP", { seq });
      if (found === null) throw new Error(`there is no message ${seq}`);
      const header = (name: string): string => found.header.get(name);
      return {
        subject: found.subject,
        id: header("Nats-Msg-Id"),
        type: header("Content-Type"),
        shop: header("X-Shop"),
        text: found.string(),
      };
    }

    test.skipIf(missing !== undefined)(
      "are published after the commit, by a transaction, by SQL and by a job's effects",
      async () => {
        const heard = nc.subscribe("pulse", { max: 1 });
        await nc.flush();
        const client = await database.pool.connect();
        try {
          await client.query("BEGIN");
          await outbox(client).publish("shop.paid", "never");
          await client.query("ROLLBACK");
          await client.query("BEGIN");
          const headers = { "X-Shop": "7 ü" };
          await outbox(client).publish("shop.paid", { cents: 5 }, { id: "a", headers });
          await client.query(
            `SELECT millrace_publish('shop.paid', '{"cents": 6}', 'b', '{"X-Shop": "8"}')`,
          );
          await outbox(client).publish("pulse", Uint8Array.of(7), { stored: false });
          await client.query("COMMIT");
        } finally {
          client.release();
        }
        await relayAs("relay");
        await rowsAre(0);
        expect([await message(1), await message(2)]).toEqual([
          {
            ...{ subject: "shop.paid", id: "a", type: "application/json", shop: "7 ü" },
            text: '{"cents":5}',
          },
          {
            ...{ subject: "shop.paid", id: "b", type: "application/json", shop: "8" },
            text: '{"cents": 6}',
          },
        ]);
        for await (const one of heard) expect([...one.data]).toEqual([7]);

        const pay = defineJob<null>({ name: "pay", queue: "pay" });
        await using millrace = await connect(as("eve"));
        const node = await createNode({
          ...as("eve"),
          jobs: [
            pay.handler(({ job: { id }, transaction }) =>
              transaction(outbox.database(beginOnPool(database.pool)), (_, own) =>
                own.publish("shop.paid", { by: id }, { id }),
              ),
            ),
          ],
        });
        cleanUpLater(() => node.stop());
        await node.start();
        const handle = await millrace.enqueue(pay, null, { id: "job-1" });
        await handle.result({ timeout: 60_000 });
        await rowsAre(0);
        expect(await message(3)).toMatchObject({ id: "job-1", text: '{"by":"job-1"}' });
      },
    );

    test.skipIf(missing !== undefined).each([
      ["a subject that is no subject", "SELECT millrace_publish('shop.*', '1')"],
      ["no subject", "SELECT millrace_publish(NULL, '1')"],
      ["the server's subject", "SELECT millrace_publish('$JS.API.INFO', '1')"],
      ["an id", "SELECT millrace_publish('shop.paid', '1', 'a b')"],
      ["a header", `SELECT millrace_publish('shop.paid', '1', headers => '{"x": 7}')`],
      ["the server's", `SELECT millrace_publish('a', '1', headers => '{"Nats-Rollup": "all"}')`],
      ["a payload", "SELECT millrace_publish('shop.paid', to_jsonb(repeat('x', 1039360)))"],
    ])("millrace_publish refuses %s", async (_, statement) => {
      await expect(database.pool.query(statement)).rejects.toThrow(/^millrace_publish: /);
    });

    test.skipIf(missing !== undefined)(
      "that can't be published are set aside with the reason, and the others go on",
      async () => {
        const client = await database.pool.connect();
        try {
          await outbox(client).publish("shop.lost", 1, { id: "lost" });
          await outbox(client).publish("shop.secret", 1, { id: "secret" });
          await outbox(client).publish("hush", 1, { id: "hush", stored: false });
          await outbox(client).publish("millrace.jobs.mail", 1, { id: "own" });
          await client.query(
            `INSERT INTO millrace_outbox (id, queue, kind, subject, body)
             VALUES ('large', 'shop.>', 'message', 'shop.paid', convert_to(repeat('x', $1::int), 'UTF8'))`,
            [nc.info?.max_payload],
          );
          await outbox(client).publish("shop.paid", 1, { id: "a" });
          await outbox(client).publish("pulse", 1, { id: "p", stored: false });
        } finally {
          client.release();
        }
        await relayAs("relay");
        await rowsAre(0);
        expect(await message(1)).toMatchObject({ id: "a" });
        const reasons = (await store.listSetAside(10)).map(({ id, reason }) => [id, reason]);
        expect(reasons).toEqual([
          ["lost", "stream-not-found"],
          ["secret", "permission-denied"],
          ["hush", "permission-denied"],
          ["own", "invalid-name"],
          ["large", "payload-too-large"],
        ]);
        await jsm.streams.update("SHOP", { subjects: ["shop.*"] });
        await store.retry("shop.>");
        await eventually(async () => (await inStream()) === 2, {
          withinMs: 60_000,
          describe: "the mended row is published",
        });
      },
    );

    test.skipIf(missing !== undefined)(
      "are stored once though the relay is killed between the publish and the delete",
      async () => {
        const client = await database.pool.connect();
        const locker = await database.pool.connect();
        try {
          for (let n = 1; n <= 20; n += 1)
            await outbox(client).publish("shop.paid", { n }, { id: `m${n}` });
          // Rows can be claimed and read, and not deleted.
          await locker.query("BEGIN");
          await locker.query("SELECT seq FROM millrace_outbox FOR UPDATE");
          const first = await relayProcess();
          await eventually(async () => (await inStream()) === 20, {
            withinMs: 60_000,
            describe: "all are in the stream",
          });
          await rowsAre(20);
          await first.kill();
          const second = await relayProcess();
          await locker.query("ROLLBACK");
          await rowsAre(0);
          expect(await inStream()).toBe(20);
          expect(await message(20)).toMatchObject({ text: '{"n":20}' });
          await second.kill();
        } finally {
          client.release();
          locker.release();
        }
      },
    );

    test.skipIf(missing !== undefined)(
      "wait while their stream is full, and those to another go on",
      async () => {
        await jsm.streams.update("SHOP", { max_msgs: 1, discard: "new" });
        await jsm.streams.add({ name: "OTHER", subjects: ["shop.other"] });
        cleanUpLater(async () => void (await jsm.streams.delete("OTHER")));
        const client = await database.pool.connect();
        try {
          for (const [subject, id] of [
            ["shop.paid", "a"],
            ["shop.paid", "b"],
            ["shop.other", "c"],
          ] as const)
            await outbox(client).publish(subject, 1, { id });
        } finally {
          client.release();
        }
        await relayAs("eve");
        await rowsAre(1);
        await eventually(
          async () => {
            const status = await store.status();
            return status[0]?.trouble?.message.startsWith("queue-full: ") === true;
          },
          { withinMs: 60_000, describe: "the status says why" },
        );
        expect((await jsm.streams.info("OTHER")).state.messages).toBe(1);
        await jsm.streams.update("SHOP", { max_msgs: 10 });
        await rowsAre(0);
        expect(await message(2)).toMatchObject({ id: "b" });
      },
    );
  },
  { config: CONFIG, connectWith: eve },
);
