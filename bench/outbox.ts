import { parseArgs } from "node:util";
import { connect, createNode, defineJob } from "millrace";
import { createOutbox, pgTransaction, postgresOutbox, startRelay } from "millrace/outbox";
import pg from "pg";
import { measureInTransaction } from "./in-transaction.ts";
import { type ServerKind, startServers } from "./servers/bench-servers.ts";

/**
 * What an outbox in PostgreSQL costs and gives: transactions a second with and without a job, rows
 * that one relay publishes a second from a backlog, and the time from the commit to the handler.
 * Writer, relay and node are this one process. Beside it pg-boss and Graphile Worker enqueue in
 * transactions of the same database; the two figures of Millrace show what NOTIFY takes.
 *
 *     node bench/outbox.ts [--rows 20000] [--transactions 500] [--durability page-cache|disk]
 *
 * `--smoke` goes through everything in seconds, for tests: its figures mean nothing.
 */
const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "20000" },
    transactions: { type: "string", default: "500" },
    durability: { type: "string", default: "page-cache" },
    smoke: { type: "boolean", default: false },
  },
});
const rows = values.smoke ? 200 : Number(values.rows);
const transactions = values.smoke ? 20 : Number(values.transactions);
const durability = values.durability === "disk" ? "disk" : "page-cache";
const PACE_MS = 20;
const IN_ONE = 100;

const work = defineJob<{ n: number }>({ name: "work", queue: "work" });
const outbox = createOutbox(pgTransaction);

await using servers = await startServers(new Set(["postgres"]), durability, "newest");
const url = urlOf("postgres");
const pool = new pg.Pool({ connectionString: url, max: 4 });
const options = { servers: urlOf("nats"), namespace: "outbox", env: {} };
const millrace = await connect(options);
await millrace.queues.ensure("work");
const store = postgresOutbox({ url });
await store.migrate();
await pool.query("CREATE TABLE orders (id int PRIMARY KEY)");

say(`nats-server ${servers.natsVersion}, PostgreSQL with ${durability} durability`);
await measureTransactions();
for (const { name, perSecond: each } of await measureInTransaction(url, pool, transactions))
  say(`${each} transactions a second by four writers, in each: ${name}`);
await measureBacklog();
await measureLatency();
await millrace.close();
await pool.end();

async function measureTransactions(): Promise<void> {
  let next = 0;
  for (const withJob of [false, true]) {
    const startedAt = performance.now();
    for (let done = 0; done < transactions; done += 1) await order((next += 1), withJob);
    const each = perSecond(transactions, performance.now() - startedAt);
    say(
      `${each} transactions a second, one after the other, ${withJob ? "with" : "without"} a job`,
    );
  }
  await pool.query("TRUNCATE millrace_outbox");
}

async function order(id: number, withJob: boolean): Promise<number> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    await client.query("INSERT INTO orders (id) VALUES ($1)", [id]);
    if (withJob) await outbox(client).enqueue(work, { n: id });
    await client.query("COMMIT");
    return performance.now();
  } finally {
    client.release();
  }
}

async function measureBacklog(): Promise<void> {
  const client = await pool.connect();
  for (let n = 0; n < rows; n += IN_ONE)
    await outbox(client).enqueueMany(
      work,
      Array.from({ length: IN_ONE }, (_, place) => ({ input: { n: n + place } })),
    );
  client.release();
  const before = process.cpuUsage();
  const startedAt = performance.now();
  const relay = await startRelay({ broker: millrace.broker, store: postgresOutbox({ url }) });
  while ((await pool.query("SELECT 1 FROM millrace_outbox LIMIT 1")).rowCount !== 0) await pause(5);
  const tookMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(before);
  await relay.stop();
  say(
    `${perSecond(rows, tookMs)} rows a second by one relay from a backlog of ${rows}; it computed ${Math.round((user + system) / tookMs / 10)} % of the time`,
  );
  await millrace.queues.purge("work");
}

async function measureLatency(): Promise<void> {
  const began = new Map<number, () => void>();
  const node = await createNode({
    ...options,
    jobs: [work.handler(({ input }) => began.get(input.n)?.())],
  });
  await node.start();
  const relay = await startRelay({ broker: millrace.broker, store: postgresOutbox({ url }) });
  for (const [how, gapMs] of [
    ["one every 20 ms", PACE_MS],
    ["one every 300 ms, the relay idle", 300],
  ] as const) {
    const count = gapMs === PACE_MS ? transactions : Math.min(transactions, 100);
    const waits: number[] = [];
    for (let n = 0; n < count; n += 1) {
      const id = 1_000_000 + n + gapMs * 10_000;
      const { promise, resolve } = Promise.withResolvers<number>();
      began.set(id, () => resolve(performance.now()));
      const committedAt = await order(id, true);
      waits.push(Math.max(0, (await promise) - committedAt));
      began.delete(id);
      await pause(gapMs);
    }
    waits.sort((a, b) => a - b);
    say(`commit to handler, ${how}: p50 ${at(waits, 0.5)} ms, p99 ${at(waits, 0.99)} ms`);
  }
  await relay.stop();
  await node.stop();
}

function urlOf(kind: ServerKind): string {
  const found = servers.url(kind);
  if (found === undefined) throw new Error(`there is no ${kind} on this machine`);
  return found;
}

function at(sorted: readonly number[], share: number): string {
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1);
}

function perSecond(count: number, ms: number): number {
  return Math.round((count * 1_000) / ms);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
