import { writeFile } from "node:fs/promises";
import { defineJob } from "millrace";
import { createOutbox, pgTransaction, postgresOutbox, startRelay } from "millrace/outbox";
import pg from "pg";
import { readCommandLine } from "./command-line.ts";
import { commitToHandler, pause, transactionsASecond } from "./in-transaction/measure.ts";
import { BUSY, IDLE, type InTransaction, NO_JOB, openSystems } from "./in-transaction/systems.ts";
import { median } from "./report/verdict.ts";
import { type ServerKind, startServers } from "./servers/bench-servers.ts";

/**
 * What enqueueing in a PostgreSQL transaction costs and gives, beside pg-boss and Graphile Worker
 * in the same database: transactions a second by four writers, in each a row and a job, and the
 * time from the commit to the handler. The two figures of Millrace show what NOTIFY takes. Then
 * rows that one relay publishes a second from a backlog. The systems take turns, each round in
 * another order.
 *
 *     node bench/outbox.ts [--rounds 3] [--transactions 5000] [--rows 20000]
 *                          [--durability page-cache|disk] [--out results.json]
 *
 * `--smoke` goes through everything in seconds, for tests: its figures mean nothing.
 */
const values = readCommandLine({
  command: "node bench/outbox.ts",
  about:
    "Measures what enqueueing in a PostgreSQL transaction costs and gives, beside pg-boss and Graphile\nWorker in the same database.",
  options: {
    rounds: { count: 3, says: "rounds, in each of which the systems take turns" },
    transactions: { count: 5_000, says: "transactions of each system in a round" },
    rows: { count: 20_000, says: "rows of a backlog that one relay publishes" },
    durability: {
      choice: ["page-cache", "disk"],
      says: "whether a confirmed write survives the server's process or the machine",
    },
    out: { text: "FILE", says: "writes the figures there, as JSON" },
    smoke: { flag: true, says: "everything in seconds, for tests: its figures mean nothing" },
  },
});
const rounds = values.smoke ? 1 : values.rounds;
const rows = values.smoke ? 200 : values.rows;
const transactions = values.smoke ? 20 : values.transactions;
const { durability } = values;
/** How often a job comes, and how many. */
const PACES = [
  { what: "one every 20 ms", gapMs: 20, count: values.smoke ? 10 : 500 },
  { what: "one every 300 ms", gapMs: 300, count: values.smoke ? 3 : 50 },
] as const;
const IN_ONE = 100;

await using servers = await startServers(new Set(["postgres"]), durability, "newest");
const postgres = urlOf("postgres");
const pool = new pg.Pool({ connectionString: postgres, max: 8 });
const store = postgresOutbox({ url: postgres });
await store.migrate();
await pool.query("CREATE TABLE orders (id int PRIMARY KEY)");
const systems = await openSystems({ postgres, nats: urlOf("nats"), pool });

/** Of all rounds, by what was measured and of whom. */
const figures = new Map<string, number[]>();
const waits = new Map<string, number[]>();
for (let round = 0; round < rounds; round += 1)
  for (const system of inTurn(systems.all, round)) {
    // Warm, and its tables as full as the others'.
    await transactionsASecond(system, pool, Math.ceil(transactions / 10));
    add(figures, system.name, await transactionsASecond(system, pool, transactions));
    for (const pace of PACES)
      add(waits, `${system.name}, ${pace.what}`, ...(await commitToHandler(system, pool, pace)));
  }
for (let round = 0; round < rounds; round += 1) add(figures, "backlog", await backlog());

say(`nats-server ${servers.natsVersion}, PostgreSQL, ${durability} durability, ${rounds} rounds`);
const alone = median(figures.get(NO_JOB) ?? []);
for (const { name } of systems.all) {
  const each = figures.get(name) ?? [];
  const share = Math.round((100 * median(each)) / alone);
  say(`${range(each)} transactions a second by four writers, ${share} %: ${name}`);
}
const [busy, idle] = [BUSY, IDLE].map((name) => median(figures.get(name) ?? []));
say(`NOTIFY takes ${Math.round(100 * (1 - (idle ?? 0) / (busy ?? 1)))} % of the transactions`);
for (const [name, each] of waits)
  if (each.length > 0)
    say(`commit to handler, ${name}: p50 ${at(each, 0.5)} ms, p99 ${at(each, 0.99)} ms`);
say(`${range(figures.get("backlog") ?? [])} rows a second by one relay from a backlog of ${rows}`);
if (values.out !== undefined)
  await writeFile(
    values.out,
    JSON.stringify({
      durability,
      rounds,
      transactions,
      rows,
      figures: [...figures],
      waits: [...waits],
    }),
  );
await systems[Symbol.asyncDispose]();
await store.close();
await pool.end();

/** By one relay alone; nobody takes the jobs. */
async function backlog(): Promise<number> {
  const work = defineJob<{ n: number }>({ name: "work", queue: "work" });
  const outbox = createOutbox(pgTransaction);
  const client = await pool.connect();
  for (let n = 0; n < rows; n += IN_ONE)
    await outbox(client).enqueueMany(
      work,
      Array.from({ length: IN_ONE }, (_, place) => ({ input: { n: n + place } })),
    );
  client.release();
  const startedAt = performance.now();
  const relay = await startRelay({
    broker: systems.millrace.broker,
    store: postgresOutbox({ url: postgres }),
  });
  while ((await pool.query("SELECT 1 FROM millrace_outbox LIMIT 1")).rowCount !== 0) await pause(5);
  const tookMs = performance.now() - startedAt;
  await relay.stop();
  await systems.millrace.queues.purge("work");
  return (rows * 1_000) / tookMs;
}

function inTurn(all: readonly InTransaction[], round: number): readonly InTransaction[] {
  const from = round % all.length;
  return [...all.slice(from), ...all.slice(0, from)];
}

function add(into: Map<string, number[]>, name: string, ...more: readonly number[]): void {
  into.set(name, [...(into.get(name) ?? []), ...more]);
}

function range(each: readonly number[]): string {
  const [least, most] = [Math.min(...each), Math.max(...each)].map(Math.round);
  return `${Math.round(median(each))} (${least}–${most})`;
}

function urlOf(kind: ServerKind): string {
  const found = servers.url(kind);
  if (found === undefined) throw new Error(`there is no ${kind} on this machine`);
  return found;
}

function at(waited: readonly number[], share: number): string {
  const sorted = waited.toSorted((a, b) => a - b);
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
