// A node whose handler is killed right after its first transaction has committed:
// `once-program.ts NATS_URL NAMESPACE DATABASE`.
import { createNode, defineJob } from "millrace";
import { createOutbox, pgTransaction } from "millrace/outbox";
import pg from "pg";

const [servers = "", namespace = "", database = ""] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: database, max: 2 });
const outbox = createOutbox(pgTransaction);
const receipt = defineJob<{ order: number }>({ name: "receipt", queue: "receipts" });
const charge = defineJob<{ order: number }>({ name: "charge", queue: "orders" });

const node = await createNode({
  servers,
  namespace,
  env: {},
  leaseMs: 2_000,
  jobs: [
    charge.handler(async (context) => {
      const client = await pool.connect();
      await client.query("BEGIN");
      const output = await outbox(client).once(context, async (children) => {
        await client.query("INSERT INTO charges (order_id) VALUES ($1)", [context.input.order]);
        await children.enqueue(receipt, context.input);
        return { chargedBy: process.pid };
      });
      await client.query("COMMIT");
      if (output.chargedBy === process.pid) process.kill(process.pid, "SIGKILL");
      client.release();
      return output;
    }),
  ],
});
await node.start();
console.log("ready");
