import { setTimeout as pause } from "node:timers/promises";
import { createOutbox, pgTransaction } from "millrace/outbox";
import pg from "pg";
import { charge } from "./jobs.ts";

/** Between transactions, so that a backlog does not grow while everything is down. */
const PACE_MS = 10;
const IN_ONE = 5;
const outbox = createOutbox(pgTransaction);

/** Writes orders and their jobs until it is told to stop; each third transaction is undone. */
export class OrderWriter {
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
