// A worker: runs the shop's jobs, leads its schedule, and brings jobs from the database to their
// queues. Start as many as you like.
import { runNode, stopOnSignals } from "millrace";
import pg from "pg";
import { busyBank } from "./bank.ts";
import { nightly } from "./definitions.ts";
import { shopJobs } from "./jobs.ts";
import { booksIn } from "./store.ts";

const { DATABASE_URL: url = "postgres://localhost/shop", THANKS_AFTER_S = "7200" } = process.env;
const pool = new pg.Pool({ connectionString: url });
const thanksAfter = Number(THANKS_AFTER_S) * 1_000;
const running = await runNode({
  jobs: shopJobs({ bank: busyBank(), books: booksIn(pool), thanksAfter }),
  schedules: [nightly],
  outboxPostgres: url,
  onNode: stopOnSignals,
});
console.log(`the worker runs, health at ${running.healthUrl}`);
await running.stopped;
await pool.end();
