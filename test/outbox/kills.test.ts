// Relays, a node, the database and the server are killed at random moments while transactions are
// written. `pnpm outbox:kills --kills 200` does it for long; a seed chooses the same victims again.
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { connect, defineJob } from "millrace";
import { createOutbox, pgTransaction } from "millrace/outbox";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startChild, type TestChild } from "../harness/child.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { postgresMissing } from "../harness/postgres.ts";
import { describeServer } from "../harness/servers.ts";
import { newSeed, SeededRandom } from "../reliability/oracle/seeded-random.ts";
import { type OutboxDatabase, outboxDatabase } from "./outbox-database.ts";

/** `pnpm outbox:kills` sets them; every other test run has so few and a seed of its own. */
const KILLS = Number(process.env["MILLRACE_OUTBOX_KILLS"] ?? 10);
const SEED = Number(process.env["MILLRACE_OUTBOX_KILLS_SEED"] ?? newSeed());
const GENERATION = process.env["MILLRACE_OUTBOX_KILLS_SERVER"] === "2.10" ? "2.10" : "newest";
/** A kill, its restart and what is made up for, on a busy machine. */
const EACH_MS = 30_000;
const PATIENCE_MS = 180_000;
/** So short that only marks tell what is published. A server without them needs the ids. */
const WINDOW_MS = GENERATION === "newest" ? 100 : 120_000;
/** Between transactions, so that a backlog does not grow while everything is down. */
const PACE_MS = 10;
const IN_ONE = 5;
type Victim = "relay 1" | "relay 2" | "node" | "database" | "server";
interface KillScene {
  readonly victims: readonly Victim[];
  /**
   * Whether each job must be delivered once. Nodes and servers that die have jobs come again, which
   * then looks as if they had been published again.
   */
  readonly isOnce: boolean;
}
const SCENES: readonly (readonly [string, KillScene])[] = [
  ["relays and the database", { victims: ["relay 1", "relay 2", "database"], isOnce: true }],
  ["all parts", { victims: ["relay 1", "relay 2", "node", "database", "server"], isOnce: false }],
];

const missing = postgresMissing();
const charge = defineJob<{ order: number }>({ name: "charge", queue: "orders" });
const outbox = createOutbox(pgTransaction);

/** Writes orders and their jobs until it is told to stop; each third transaction is undone. */
class Writer {
  readonly #url: string;
  #stopped = false;
  #running: Promise<void> | undefined;
  ended = 0;

  constructor(url: string) {
    this.#url = url;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    let first = 1;
    while (!this.#stopped) {
      const client = new pg.Client({ connectionString: this.#url, connectionTimeoutMillis: 2_000 });
      // The database is killed under it; whether a commit was, the table says in the end.
      client.on("error", () => {});
      try {
        await client.connect();
        for (; !this.#stopped; first += IN_ONE) await this.#transaction(client, first);
      } catch {
        first += IN_ONE;
      } finally {
        await client.end().catch(() => "it is gone already");
      }
      await pause(PACE_MS);
    }
  }

  async #transaction(client: pg.Client, first: number): Promise<void> {
    await client.query("BEGIN");
    for (let order = first; order < first + IN_ONE; order += 1) {
      await client.query("INSERT INTO orders (id) VALUES ($1)", [order]);
      await outbox(client).enqueue(charge, { order }, { id: `order-${order}` });
    }
    await client.query(this.ended % 3 === 2 ? "ROLLBACK" : "COMMIT");
    this.ended += 1;
    await pause(PACE_MS);
  }
}

describeServer(
  `an outbox whose parts are killed${missing === undefined ? "" : `, skipped: ${missing}`}`,
  GENERATION,
  (server) => {
    let database: OutboxDatabase;
    beforeAll(async () => {
      if (missing !== undefined) return;
      database = await outboxDatabase([
        "CREATE TABLE orders (id int PRIMARY KEY)",
        // Without a key: a second effect must be seen.
        "CREATE TABLE charges (order_id int)",
        "CREATE TABLE runs (job text, generation int)",
      ]);
      database.pool.on("error", () => {});
    });
    afterAll(() => database?.close());

    test.skipIf(missing !== undefined).each(SCENES)(
      `%s are killed, and what is committed has its effect once (seed ${SEED}, ${KILLS} kills)`,
      { timeout: PATIENCE_MS * 2 + KILLS * EACH_MS },
      async (title, { victims, isOnce }) => {
        const { pool, postgres } = database;
        await pool.query(
          "TRUNCATE orders, charges, runs, millrace_done, millrace_outbox, millrace_outbox_claim",
        );
        const namespace = server.namespace();
        const setUp = await connect({ servers: server.url, namespace, env: {} });
        await setUp.queues.ensure("orders", { dedupeWindowMs: WINDOW_MS });
        await setUp.close();
        const children = new Map<Victim, TestChild>();
        const launch = async (victim: Victim): Promise<void> => {
          const program = victim === "node" ? "kills-program.ts" : "relay-program.ts";
          const child = startChild(join(import.meta.dirname, program), {
            args: [server.url, namespace, postgres.url],
          });
          children.set(victim, child);
          await child.line(/^ready$/, PATIENCE_MS);
        };
        for (const victim of ["relay 1", "relay 2", "node"] as const) await launch(victim);
        const kill = async (victim: Victim): Promise<void> => {
          if (victim === "database") {
            await postgres.kill();
            await postgres.start();
          } else if (victim === "server") {
            await server.kill();
            await server.restart();
          } else {
            await children.get(victim)?.kill();
            await launch(victim);
          }
        };

        const writer = new Writer(postgres.url);
        cleanUpLater(() => writer.stop());
        writer.start();
        const random = new SeededRandom(SEED);
        const killed = new Map<Victim, number>();
        for (let kills = 0; kills < KILLS; kills += 1) {
          const from = writer.ended;
          const after = 1 + random.between(0, 7);
          await eventually(() => writer.ended >= from + after, {
            withinMs: PATIENCE_MS,
            everyMs: 5,
            describe: `${after} more transactions ended`,
          });
          const victim = random.pick(victims);
          await kill(victim);
          killed.set(victim, (killed.get(victim) ?? 0) + 1);
        }
        await writer.stop();

        const { rows: orders } = await pool.query<{ id: number }>(
          "SELECT id FROM orders ORDER BY id",
        );
        const committed = orders.map(({ id }) => id);
        const count = async (what: string): Promise<number> =>
          Number((await pool.query<{ n: string }>(`SELECT count(*) AS n FROM ${what}`)).rows[0]?.n);
        let told = "";
        await eventually(
          async () => {
            const [left, charged, ran] = [
              await count("millrace_outbox"),
              await count("(SELECT DISTINCT order_id FROM charges) c"),
              await count("runs"),
            ];
            told = `${charged} are, after ${ran} runs; ${left} rows wait`;
            return left === 0 && charged === committed.length;
          },
          {
            withinMs: PATIENCE_MS,
            everyMs: 200,
            describe: () => `${committed.length} orders are charged: ${told}`,
          },
        );
        const { rows: charges } = await pool.query<{ order_id: number }>(
          "SELECT order_id FROM charges ORDER BY order_id",
        );
        const runs = await count("runs");
        const again = await count(
          "(SELECT 1 FROM runs GROUP BY job, generation HAVING count(*) > 1) r",
        );
        console.log(
          `outbox kills: ${title}, seed ${SEED}, ${KILLS} kills (${[...killed].map(([who, n]) => `${who} ${n}`).join(", ")}), ` +
            `${writer.ended} transactions, ${committed.length} jobs committed, ${charges.length} effects, ` +
            `${runs} runs, ${again} delivered again`,
        );
        expect(committed.length).toBeGreaterThan(0);
        expect(charges.map((one) => one.order_id)).toEqual(committed);
        if (isOnce) expect(again).toBe(0);
        for (const child of children.values()) await child.kill();
      },
    );
  },
);
