// A node whose handler charges in a transaction that stays open until SIGUSR2:
// `zombie-program.ts NATS_URL NAMESPACE DATABASE`. It pays no attention to its signal.
import { once } from "node:events";
import { createOutbox, pgTransaction } from "millrace/outbox";
import { startChargingNode } from "./charging-node.ts";

const outbox = createOutbox(pgTransaction);
const mayGo = once(process, "SIGUSR2");

await startChargingNode(async (context, client) => {
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
  }
});
