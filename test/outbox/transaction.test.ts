import { join } from "node:path";
import { type Envelope, UNSETTLED, withOwn } from "@millrace/core";
import { connect, createNode, defineJob } from "millrace";
import {
  type Begin,
  beginOnPool,
  createOutbox,
  type DoneRecord,
  pgTransaction,
  postgresOutbox,
  startRelay,
} from "millrace/outbox";
import type pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { startChild, type TestChild } from "../harness/child.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { postgresMissing, type TestPostgres } from "../harness/postgres.ts";
import { describeEachServer, describeServer } from "../harness/servers.ts";
import { type OutboxDatabase, outboxDatabase } from "./outbox-database.ts";

vi.setConfig({ testTimeout: 180_000 });

const missing = postgresMissing();
const outbox = createOutbox(pgTransaction);
const charge = defineJob<{ order: number }, { chargedBy: number }>({
  name: "charge",
  queue: "orders",
});

let postgres: TestPostgres;
let pool: pg.Pool;
let database: OutboxDatabase | undefined;
beforeAll(async () => {
  if (missing !== undefined) return;
  database = await outboxDatabase(["CREATE TABLE charges (order_id int)"]);
  ({ postgres, pool } = database);
});
afterAll(() => database?.close());
beforeEach(async () => {
  await pool?.query(
    "TRUNCATE charges, millrace_done, millrace_outbox, millrace_outbox_claim RESTART IDENTITY",
  );
});

const charges = async (): Promise<number> =>
  Number((await pool.query<{ n: string }>("SELECT count(*) AS n FROM charges")).rows[0]?.n);

describe.skipIf(missing !== undefined)(
  `effects exactly once${missing === undefined ? "" : `: ${missing}`}`,
  () => {
    const job = (more: Partial<Envelope> = {}): { job: Envelope; signal: AbortSignal } => ({
      signal: new AbortController().signal,
      job: {
        ...UNSETTLED,
        ...{ id: "a", name: "charge", queue: "orders", payload: null, createdAt: 1, headers: {} },
        ...more,
      },
    });

    async function run<Output>(
      context: { job: Envelope; signal: AbortSignal },
      act: (client: pg.PoolClient) => Promise<Output>,
      end: "COMMIT" | "ROLLBACK" = "COMMIT",
    ): Promise<Output> {
      const begin: Begin<pg.PoolClient> = async (work) => {
        const client = await pool.connect();
        try {
          await client.query("BEGIN");
          await work(client);
          await client.query(end);
        } catch (error) {
          await client.query("ROLLBACK");
          throw error;
        } finally {
          client.release();
        }
      };
      return outbox.database(begin).once(context, async (client) => {
        await client.query("INSERT INTO charges (order_id) VALUES (1)");
        return act(client);
      });
    }

    test.each([[{ at: new Date(5), bytes: Buffer.from([1]), n: null }], [undefined], ["text"]])(
      "a second run gives what the first gave, and does nothing: %j",
      async (output) => {
        expect(await run(job(), async () => output)).toEqual(output);
        const again = await run(job({ attempts: 3, generation: 4 }), () =>
          Promise.reject(new Error("it ran twice")),
        );
        if (typeof output === "object") expect(again).toMatchObject({ at: new Date(5), n: null });
        else expect(again ?? undefined).toBe(output);
        expect(await charges()).toBe(1);
      },
    );

    test("an output of many values is read again as it was kept", async () => {
      const output = Array.from({ length: 150_000 }, (_, n) => n);
      await run(job(), async () => output);
      expect(await run(job(), async () => [])).toEqual(output);
    });

    test("a run that failed or was rolled back leaves nothing behind", async () => {
      await expect(run(job(), () => Promise.reject(new Error("no money")))).rejects.toThrow(
        "no money",
      );
      await run(job(), async () => 1, "ROLLBACK");
      expect(await charges()).toBe(0);
      expect(await run(job(), async () => 2)).toBe(2);
      expect(await charges()).toBe(1);
    });

    test("a record without an output, which only a swallowed error leaves, is told of", async () => {
      const careless = outbox.database<pg.PoolClient>(async (act) => {
        const client = await pool.connect();
        await client.query("BEGIN");
        await act(client).catch(() => "as nobody should");
        await client.query("COMMIT");
        client.release();
      });
      const failing = careless.once(job(), () => Promise.reject(new Error("swallowed")));
      await expect(failing).rejects.toThrow("swallowed");
      const again: unknown = await run(job(), async () => 1).catch((error: unknown) => error);
      expect(again).toMatchObject({ code: "outbox-failed" });
      expect(String(again)).toContain("although its work had thrown");
    });

    test("the same id in another queue, or enqueued again later, is another job", async () => {
      expect(await run(job(), async () => 1)).toBe(1);
      expect(await run(job({ queue: "others" }), async () => 2)).toBe(2);
      expect(await run(job({ createdAt: 2 }), async () => 3)).toBe(3);
      expect(await charges()).toBe(3);
    });

    test("a job that was enqueued anew in the place of a cancelled one does not do its work again", async () => {
      expect(await run(job(), async () => 1)).toBe(1);
      expect(await run(job({ createdAt: 2, effectsOf: 1 }), async () => 2)).toBe(1);
      expect(await run(job({ createdAt: 3, effectsOf: 3 }), async () => 3)).toBe(3);
      expect(await charges()).toBe(2);
    });

    test("nor do it and a node of an earlier version, which goes by its own time, do it both", async () => {
      const anew = { createdAt: 2, effectsOf: 1 };
      expect(await run(job({ createdAt: 2 }), async () => 1)).toBe(1);
      expect(await run(job(anew), async () => 2)).toBe(1);
      // As what comes after it finds it, by either time.
      for (const createdAt of [1, 2]) expect(await run(job({ createdAt }), async () => 3)).toBe(1);
      const other = { id: "b", ...anew };
      expect(await run(job(other), async () => 4)).toBe(4);
      expect(await run(job({ id: "b", createdAt: 2 }), async () => 5)).toBe(4);
      // The cancelled one's work was done: the next attempt may be that node's.
      expect(await run(job({ id: "c" }), async () => 6)).toBe(6);
      expect(await run(job({ id: "c", ...anew }), async () => 7)).toBe(6);
      expect(await run(job({ id: "c", createdAt: 2 }), async () => 8)).toBe(6);
      expect(await charges()).toBe(3);
    });

    test.each(["COMMIT", "ROLLBACK"] as const)(
      "of two runs at the same time the second waits for the first, which ends by %s",
      async (end) => {
        const inside = Promise.withResolvers<void>();
        const go = Promise.withResolvers<void>();
        const first = run(
          job(),
          async () => {
            inside.resolve();
            await go.promise;
            return "first";
          },
          end,
        );
        await inside.promise;
        const second = run(job(), async () => "second");
        await eventually(
          async () => (await pool.query("SELECT 1 FROM pg_locks WHERE NOT granted")).rowCount !== 0,
          { withinMs: 60_000, describe: "the second waits" },
        );
        go.resolve();
        await first;
        expect(await second).toBe(end === "COMMIT" ? "first" : "second");
        expect(await charges()).toBe(1);
      },
    );
  },
);

describeEachServer("a node that is killed after its transaction has committed", (server) => {
  test.skipIf(missing !== undefined)(
    "charges once, and its child is enqueued once",
    async () => {
      const namespace = server.namespace();
      const millrace = await connect({ servers: server.url, namespace, env: {} });
      cleanUpLater(() => millrace.close());
      await millrace.queues.ensure("receipts");
      await millrace.queues.ensure("orders");
      const relay = await startRelay({
        broker: millrace.broker,
        store: postgresOutbox({ url: postgres.url }),
      });
      cleanUpLater(() => relay.stop());
      const start = () =>
        startChild(join(import.meta.dirname, "transaction-program.ts"), {
          args: [server.url, namespace, postgres.url],
        });
      const first = start();
      await first.line(/^ready$/, 60_000);
      const handle = await millrace.enqueue(charge, { order: 7 });
      expect(await first.exit(90_000)).toEqual({ code: null, signal: "SIGKILL" });
      const second = start();
      await second.line(/^ready$/, 60_000);
      expect(await handle.result({ timeout: "120s" })).toEqual({ chargedBy: first.pid });
      expect(await charges()).toBe(1);
      const [receipt, ...more] = await eventually(
        async () => {
          const jobs = await millrace.broker.listWaiting("receipts");
          return jobs.length > 0 ? { jobs } : undefined;
        },
        { withinMs: 60_000, describe: "the receipt is in its queue" },
      ).then(({ jobs }) => jobs);
      expect(more).toEqual([]);
      expect(receipt?.envelope).toMatchObject({
        payload: { order: 7 },
        parent: { id: handle.id, queue: "orders" },
      });
      await second.kill();
    },
    240_000,
  );
});

describeEachServer("records of effects", (server) => {
  test.skipIf(missing !== undefined)(
    "are forgotten once their jobs have ended, and kept while those may come again",
    async () => {
      const options = { servers: server.url, namespace: server.namespace(), env: {} };
      const millrace = await connect(options);
      cleanUpLater(() => millrace.close());
      const shop = outbox.database(beginOnPool(pool));
      const node = await createNode({
        ...options,
        jobs: [
          charge.handler(({ transaction }) => transaction(shop, async () => ({ chargedBy: 1 }))),
        ],
      });
      cleanUpLater(() => node.stop());
      await node.start();
      const ended = await millrace.enqueue(charge, { order: 1 }, { id: "ended" });
      await ended.result({ timeout: "60s" });
      await millrace.enqueue(charge, { order: 2 }, { id: "open", delay: "1h" });
      // A node moves it among the delayed jobs meanwhile.
      const open = await eventually(
        () => millrace.broker.findWaiting("open", { queue: "orders" }),
        { withinMs: 60_000, describe: "the delayed job waits" },
      );
      await pool.query(
        "INSERT INTO millrace_done (queue, job_id, enqueued_at) VALUES ('orders', 'open', $1)",
        [open.envelope.createdAt],
      );
      await pool.query("UPDATE millrace_done SET done_at = now() - interval '40 days'");
      const { broker } = millrace;
      const relay = await startRelay({
        // An hour after the job has ended.
        broker: withOwn(broker, { serverNow: async () => (await broker.serverNow()) + 3_600_000 }),
        store: postgresOutbox({ url: postgres.url }),
      });
      cleanUpLater(() => relay.stop());
      const ids = async () =>
        (await pool.query<{ job_id: string }>("SELECT job_id FROM millrace_done")).rows.map(
          ({ job_id: id }) => id,
        );
      await eventually(async () => !(await ids()).includes("ended"), {
        withinMs: 60_000,
        describe: "the record of the job that has ended is gone",
      });
      expect(await ids()).toEqual(["open"]);
    },
  );

  test.skipIf(missing !== undefined)("are read page by page, none left out", async () => {
    await pool.query(
      `INSERT INTO millrace_done (queue, job_id, enqueued_at, done_at)
       SELECT 'orders', 'j' || n, n, now() - make_interval(hours => 2 + n / 3)
       FROM generate_series(1, 25) AS n`,
    );
    const store = postgresOutbox({ url: postgres.url });
    cleanUpLater(() => store.close());
    const seen: string[] = [];
    for (let after: DoneRecord | undefined; ;) {
      const page = await store.done?.({ olderThanMs: 3_600_000, after, limit: 10 });
      if (page === undefined || page.length === 0) break;
      seen.push(...page.map(({ id }) => id));
      after = page.at(-1);
    }
    expect(seen).toHaveLength(25);
    expect(new Set(seen).size).toBe(25);
  });
});

// Of one server: deliveries go to the frozen node too, until its pulls run out.
describeServer("a node that is frozen in its transaction", "newest", (server) => {
  test.skipIf(missing !== undefined)(
    "and comes back after another has its job: one of the two charges",
    async () => {
      const namespace = server.namespace();
      const millrace = await connect({ servers: server.url, namespace, env: {} });
      cleanUpLater(() => millrace.close());
      await millrace.queues.ensure("orders");
      const start = async (): Promise<TestChild> => {
        const child = startChild(join(import.meta.dirname, "zombie-program.ts"), {
          args: [server.url, namespace, postgres.url],
        });
        await child.line(/^ready$/, 120_000);
        return child;
      };
      const zombie = await start();
      const handle = await millrace.enqueue(charge, { order: 8 });
      await zombie.line(/^charged$/, 60_000);
      zombie.signal("SIGSTOP");
      const other = await start();
      await other.line(/^begins$/, 120_000);
      await eventually(
        async () => (await pool.query("SELECT 1 FROM pg_locks WHERE NOT granted")).rowCount !== 0,
        { withinMs: 60_000, describe: "the other waits for the frozen transaction" },
      );
      other.signal("SIGUSR2");
      zombie.signal("SIGUSR2");
      zombie.signal("SIGCONT");
      await zombie.line(/^(committed|rolled back)$/, 60_000);
      const output = (await handle.result({ timeout: "120s" })) as { chargedBy: number };
      expect([zombie.pid, other.pid]).toContain(output.chargedBy);
      expect(await charges()).toBe(1);
      await Promise.all([zombie.kill(), other.kill()]);
    },
    300_000,
  );
});
