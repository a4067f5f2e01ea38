import { join } from "node:path";
import { createNode, connect, defineJob, type Millrace } from "millrace";
import { createOutbox, pgTransaction, postgresOutbox } from "millrace/outbox";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startChild, type TestChild } from "../harness/child.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../harness/postgres.ts";
import { describeEachServerWith211 } from "../harness/servers.ts";

const missing = postgresMissing();
const outbox = createOutbox(pgTransaction);
const KILLS = 4;

interface Scene {
  readonly millrace: Millrace;
  readonly pool: pg.Pool;
  readonly namespace: string;
  /** How often each order's job ran. */
  readonly runs: Map<number, number>;
}

await describeEachServerWith211(
  `an outbox in PostgreSQL${missing === undefined ? "" : `, skipped: ${missing}`}`,
  (server) => {
    let postgres: TestPostgres;
    beforeAll(async () => {
      if (missing === undefined) postgres = await startPostgres();
    });
    afterAll(() => postgres?.remove());

    const charge = defineJob<{ order: number }>({ name: "charge", queue: "orders" });

    async function scene(dedupeWindowMs: number): Promise<Scene> {
      const namespace = server.namespace();
      const pool = new pg.Pool({ connectionString: postgres.url, max: 4 });
      // A connection of it that breaks while nobody uses it.
      pool.on("error", () => {});
      cleanUpLater(() => pool.end());
      await pool.query("DROP TABLE IF EXISTS orders, millrace_outbox, millrace_outbox_claim");
      await pool.query("CREATE TABLE orders (id int PRIMARY KEY)");
      const store = postgresOutbox({ url: postgres.url });
      await store.migrate();
      await store.close();
      const millrace = await connect({ servers: server.url, namespace, env: {} });
      cleanUpLater(() => millrace.close());
      await millrace.queues.ensure("orders", { dedupeWindowMs });
      const runs = new Map<number, number>();
      const node = await createNode({
        servers: server.url,
        namespace,
        env: {},
        queues: { orders: 20 },
        jobs: [
          charge.handler(({ input }) => {
            runs.set(input.order, (runs.get(input.order) ?? 0) + 1);
          }),
        ],
      });
      await node.start();
      cleanUpLater(() => node.stop());
      return { millrace, pool, namespace, runs };
    }

    async function startRelay(namespace: string): Promise<TestChild> {
      const child = startChild(join(import.meta.dirname, "relay-program.ts"), {
        args: [server.url, namespace, postgres.url],
      });
      await child.line(/^ready$/, 120_000);
      return child;
    }

    /** Every third transaction is rolled back, and its order is never written. */
    async function order(pool: pg.Pool, first: number, count: number): Promise<void> {
      const client = await pool.connect();
      try {
        await client.query("BEGIN");
        for (let id = first; id < first + count; id += 1) {
          await client.query("INSERT INTO orders (id) VALUES ($1)", [id]);
          await outbox(client).enqueue(charge, { order: id });
        }
        await client.query(first % 3 === 0 ? "ROLLBACK" : "COMMIT");
      } finally {
        client.release();
      }
    }

    const ordersOf = async (pool: pg.Pool): Promise<readonly number[]> =>
      (await pool.query<{ id: number }>("SELECT id FROM orders ORDER BY id")).rows.map(
        ({ id }) => id,
      );

    async function settled({ pool, runs }: Scene): Promise<readonly number[]> {
      const committed = await ordersOf(pool);
      await eventually(
        async () => {
          const { rows } = await pool.query("SELECT 1 FROM millrace_outbox LIMIT 1");
          return rows.length === 0 && committed.every((id) => runs.has(id));
        },
        {
          withinMs: 120_000,
          everyMs: 100,
          describe: () => `${committed.length} orders have run; ${runs.size} have`,
        },
      );
      return committed;
    }

    test.skipIf(missing !== undefined)(
      "two relays that are killed again and again publish what is committed once each",
      async () => {
        // So short that only the marks can tell; a server without them needs the ids.
        const current = await scene(server.generation === "newest" ? 100 : 120_000);
        const { pool, namespace, runs } = current;
        const relays = await Promise.all([startRelay(namespace), startRelay(namespace)]);
        let next = 1;
        for (let kills = 0; kills < KILLS; kills += 1) {
          const before = runs.size;
          const writing = (async () => {
            for (let batch = 0; batch < 25; batch += 1, next += 7) await order(pool, next, 5);
          })();
          await eventually(() => runs.size > before + 20, {
            withinMs: 120_000,
            describe: "jobs of this round run",
          });
          const place = kills % relays.length;
          await relays[place]?.kill();
          await writing;
          relays[place] = await startRelay(namespace);
        }
        const committed = await settled(current);
        expect(committed.length).toBeGreaterThan(KILLS * 60);
        expect([...runs.keys()].toSorted((a, b) => a - b)).toEqual(committed);
        expect([...runs.values()].filter((count) => count !== 1)).toEqual([]);
        await Promise.all(relays.map((relay) => relay.kill()));
      },
      360_000,
    );

    test.skipIf(missing !== undefined)(
      "a queue that is smaller than a batch gets its jobs, each once",
      async () => {
        const current = await scene(120_000);
        await current.millrace.queues.ensure("orders", { maxJobs: 15 });
        for (let first = 1; first < 70; first += 7) await order(current.pool, first, 5);
        const relay = await startRelay(current.namespace);
        const committed = await settled(current);
        expect(committed.length).toBeGreaterThan(30);
        expect([...current.runs.keys()].toSorted((a, b) => a - b)).toEqual(committed);
        expect([...current.runs.values()].filter((count) => count !== 1)).toEqual([]);
        await relay.kill();
      },
      240_000,
    );

    test.skipIf(missing !== undefined)(
      "what was committed while the server was away is published when it is back",
      async () => {
        const current = await scene(120_000);
        const relay = await startRelay(current.namespace);
        await server.kill();
        await order(current.pool, 1, 5);
        await order(current.pool, 7, 5);
        await server.restart();
        const committed = await settled(current);
        expect([...current.runs.keys()].toSorted((a, b) => a - b)).toEqual(committed);
        expect(committed).toHaveLength(10);
        await relay.kill();
      },
      240_000,
    );

    test.skipIf(missing !== undefined)(
      "a database that is killed and comes back loses nothing",
      async () => {
        const current = await scene(120_000);
        const relay = await startRelay(current.namespace);
        await order(current.pool, 1, 5);
        await postgres.kill();
        await postgres.start();
        await eventually(() => order(current.pool, 7, 5).then(() => true), {
          withinMs: 60_000,
          describe: "the pool has a connection again",
        });
        expect(await settled(current)).toHaveLength(10);
        expect([...current.runs.values()]).toEqual(Array.from({ length: 10 }, () => 1));
        await relay.kill();
      },
      240_000,
    );
  },
  { singleServer: "it counts runs, and a leader that dies delivers some of them again" },
);
