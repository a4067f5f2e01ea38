import { makeWorkerUtils } from "graphile-worker";
import { defineJob } from "millrace";
import { createOutbox, pgTransaction } from "millrace/outbox";
import type pg from "pg";
import { PgBoss } from "pg-boss";

/** Connections at the same time: commits that notify wait for each other. */
const WRITERS = 4;
const QUEUE = "noop";

const work = defineJob<{ n: number }>({ name: "work", queue: "work" });
const outbox = createOutbox(pgTransaction);

/** Enqueues one job in an open transaction; nothing, to see what the transaction takes alone. */
type Enqueue = (client: pg.PoolClient, n: number) => Promise<unknown>;

export interface InTransaction {
  readonly name: string;
  readonly perSecond: number;
}

/**
 * Transactions a second that insert a row and enqueue a job, by each system in the same database,
 * one after the other. Nobody takes the jobs meanwhile.
 *
 * @param pool whose database has the outbox's tables and a table `orders`
 * @param transactions of each system
 */
export async function measureInTransaction(
  url: string,
  pool: pg.Pool,
  transactions: number,
): Promise<readonly InTransaction[]> {
  const boss = new PgBoss({ connectionString: url, max: 1 });
  boss.on("error", (error) => process.stderr.write(`pg-boss: ${error.message}\n`));
  await boss.start();
  await boss.createQueue(QUEUE, { notify: true });
  const graphile = await makeWorkerUtils({ connectionString: url });
  await graphile.migrate();
  const notify = (idle: boolean): Promise<unknown> =>
    pool.query("UPDATE millrace_outbox_relay SET idle = $1", [idle]);
  const enqueue: Enqueue = (client, n) => outbox(client).enqueue(work, { n });
  const systems: readonly (readonly [string, Enqueue, () => Promise<unknown>])[] = [
    ["no job", async () => {}, async () => {}],
    ["Millrace, its relay busy (no NOTIFY)", enqueue, () => notify(false)],
    ["Millrace, its relay idle (NOTIFY)", enqueue, () => notify(true)],
    [
      "pg-boss",
      (client, n) =>
        boss.send(
          QUEUE,
          { n },
          { db: { executeSql: (text, values) => client.query(text, values) } },
        ),
      async () => {},
    ],
    [
      "Graphile Worker",
      (client, n) =>
        client.query("SELECT graphile_worker.add_job($1, $2::json)", [
          QUEUE,
          JSON.stringify({ n }),
        ]),
      async () => {},
    ],
  ];
  const measured: InTransaction[] = [];
  try {
    let next = 2_000_000_000;
    for (const [name, add, prepare] of systems) {
      await prepare();
      const first = (next -= transactions);
      measured.push({ name, perSecond: await rate(pool, transactions, first, add) });
    }
  } finally {
    await boss.stop({ graceful: false });
    await graphile.release();
    await notify(true);
    await pool.query("TRUNCATE millrace_outbox");
  }
  return measured;
}

async function rate(
  pool: pg.Pool,
  transactions: number,
  first: number,
  add: Enqueue,
): Promise<number> {
  let next = first;
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: WRITERS }, async () => {
      const client = await pool.connect();
      try {
        while (next < first + transactions) {
          const n = (next += 1);
          await client.query("BEGIN");
          await client.query("INSERT INTO orders (id) VALUES ($1)", [n]);
          await add(client, n);
          await client.query("COMMIT");
        }
      } finally {
        client.release();
      }
    }),
  );
  return Math.round((transactions * 1_000) / (performance.now() - startedAt));
}
