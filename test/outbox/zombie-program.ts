// A node whose handler charges in a transaction that stays open until SIGUSR2:
// `zombie-program.ts NATS_URL NAMESPACE DATABASE`. It pays no attention to its signal.
import { once } from "node:events";
import { createNode, defineJob } from "millrace";
import { createOutbox, pgTransaction } from "millrace/outbox";
import pg from "pg";

const [servers = "", namespace = "", database = ""] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: database, max: 2 });
const outbox = createOutbox(pgTransaction);
const charge = defineJob<{ order: number }>({ name: "charge", queue: "orders" });
const mayGo = once(process, "SIGUSR2");

const node = await createNode({
  servers,
  namespace,
  env: {},
  leaseMs: 2_000,
  jobs: [
    charge.handler(async (context) => {
      const client = await pool.connect();
      try {
        await client.query("BEGIN");
        console.log("begins");
        const output = await outbox(client).once(context, async () => {
          await client.query("INSERT INTO charges (order_id) VALUES ($1)", [context.input.order]);
          console.log("charged");
          await mayGo;
          return { chargedBy: process.pid };
        });
        await client.query("COMMIT");
        console.log("committed");
        return output;
      } catch (error) {
        await client.query("ROLLBACK");
        console.log("rolled back");
        throw error;
      } finally {
        client.release();
      }
    }),
  ],
});
await node.start();
console.log("ready");
