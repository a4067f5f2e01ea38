// A failover to a restored backup, in PostgreSQL: what docs/outbox.md says of it.
import { connect, createNode, defineJob, type Millrace } from "millrace";
import {
  beginOnPool,
  createOutbox,
  pgTransaction,
  POSTGRES_SCHEMA,
  postgresOutbox,
  startRelay,
} from "millrace/outbox";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../harness/postgres.ts";
import { describeServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const missing = postgresMissing();
const outbox = createOutbox(pgTransaction);
const charge = defineJob<{ order: string }>({ name: "charge", queue: "orders" });

describeServer(
  `a failover to a restored backup${missing === undefined ? "" : `, skipped: ${missing}`}`,
  "newest",
  (server) => {
    let postgres: TestPostgres;
    let administrator: pg.Client;
    /** Where the node's transactions go. */
    let current: pg.Pool;
    beforeAll(async () => {
      if (missing !== undefined) return;
      postgres = await startPostgres();
      administrator = new pg.Client({ connectionString: postgres.url });
      await administrator.connect();
    });
    afterAll(async () => {
      await administrator?.end();
      await postgres?.remove();
    });
    beforeEach(async () => {
      if (missing !== undefined) return;
      for (const name of ["shop", "backup"])
        await administrator.query(`DROP DATABASE IF EXISTS ${name}`);
      await administrator.query("CREATE DATABASE shop");
      current = poolOf("shop");
      await current.query(POSTGRES_SCHEMA);
      await current.query("CREATE TABLE orders (id text); CREATE TABLE charges (order_id text)");
    });

    const urlOf = (name: string): string => postgres.url.replace(/postgres$/, name);
    const poolOf = (name: string): pg.Pool => new pg.Pool({ connectionString: urlOf(name) });

    async function order(id: string): Promise<void> {
      await beginOnPool(current)(async (tx) => {
        await tx.query("INSERT INTO orders VALUES ($1)", [id]);
        await outbox(tx).enqueue(charge, { order: id }, { id });
      });
    }

    /** Nobody may be connected to a database that PostgreSQL copies. */
    async function backUp(): Promise<void> {
      await current.end();
      await administrator.query("CREATE DATABASE backup TEMPLATE shop");
      current = poolOf("shop");
    }

    async function failOver(): Promise<void> {
      await current.end();
      current = poolOf("backup");
      cleanUpLater(() => current.end());
    }

    const column = async (sql: string): Promise<readonly unknown[]> =>
      (await current.query<{ id: string }>(sql)).rows.map(({ id }) => id);
    const charges = () => column("SELECT order_id AS id FROM charges ORDER BY 1");
    const rows = () => column("SELECT id FROM millrace_outbox ORDER BY seq");

    /** By a relay that is stopped again. */
    async function relayAll(millrace: Millrace, name: string): Promise<void> {
      const store = postgresOutbox({ url: urlOf(name) });
      const relay = await startRelay({ broker: millrace.broker, store, pollMs: 50 });
      try {
        await eventually(async () => (await rows()).length === 0, {
          withinMs: 60_000,
          describe: "every row is published",
        });
      } finally {
        await relay.stop();
      }
    }

    /** A queue and a node that charges, once an order, in whichever database is the current one. */
    async function scene(dedupeWindowMs: number) {
      const options = { servers: server.url, namespace: server.namespace(), env: {} };
      const millrace = await connect(options);
      cleanUpLater(() => millrace.close());
      await millrace.queues.ensure("orders", { dedupeWindowMs });
      const ran: string[] = [];
      const node = await createNode({
        ...options,
        slots: 1,
        jobs: [
          charge.handler(({ input, transaction }) => {
            ran.push(input.order);
            return transaction(outbox.database(beginOnPool(current)), async (tx) => {
              await tx.query("INSERT INTO charges VALUES ($1)", [input.order]);
            });
          }),
        ],
      });
      cleanUpLater(() => node.stop());
      await node.start();
      const result = (id: string) => millrace.handle(id, "orders").result({ timeout: "60s" });
      return { millrace, ran, result };
    }

    test.skipIf(missing !== undefined)(
      "what was published since is not published again; its effects are gone until it is enqueued anew",
      async () => {
        const { millrace, ran, result } = await scene(120_000);
        await order("before");
        await backUp();
        await order("lost");
        await relayAll(millrace, "shop");
        await Promise.all([result("before"), result("lost")]);
        expect(await charges()).toEqual(["before", "lost"]);

        await failOver();
        expect(await rows()).toEqual(["before"]);
        await order("after");
        await relayAll(millrace, "backup");
        await result("after");
        expect(ran).toEqual(["before", "lost", "after"]);
        expect(await charges()).toEqual(["after"]);
        // The history knows which ended since.
        expect(await millrace.handle("before", "orders").status()).toMatchObject({
          state: "succeeded",
        });
        await millrace.enqueue(charge, { order: "before" }, { id: "before-again" });
        await result("before-again");
        expect(await charges()).toEqual(["after", "before"]);
      },
    );

    test.skipIf(missing !== undefined)(
      "an old row is published again and has its effect once in what was restored; one that was deleted is not",
      async () => {
        const { millrace, ran, result } = await scene(100);
        await order("again");
        await order("deleted");
        await backUp();
        await relayAll(millrace, "shop");
        await Promise.all([result("again"), result("deleted")]);
        const { broker } = millrace;
        const publishedAt = await broker.serverNow();
        await eventually(async () => (await broker.serverNow()) > publishedAt + 1_000, {
          withinMs: 60_000,
          describe: "the queue has forgotten the ids",
        });

        await failOver();
        // What the page says to do, for one of the two.
        const known = await millrace.handle("deleted", "orders").status();
        expect(known.state).toBe("succeeded");
        await current.query("DELETE FROM millrace_outbox WHERE id = 'deleted'");
        await relayAll(millrace, "backup");
        await order("last");
        await relayAll(millrace, "backup");
        await result("last");
        expect(ran).toEqual(["again", "deleted", "again", "last"]);
        expect(await charges()).toEqual(["again", "last"]);
      },
    );
  },
  { singleServer: "it counts runs, and a leader that dies delivers some of them again" },
);
