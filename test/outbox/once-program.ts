// A node whose handler is killed right after its first transaction has committed:
// `once-program.ts NATS_URL NAMESPACE DATABASE`.
import { defineJob } from "millrace";
import { createOutbox, pgTransaction } from "millrace/outbox";
import { startChargingNode } from "./charging-node.ts";

const outbox = createOutbox(pgTransaction);
const receipt = defineJob<{ order: number }>({ name: "receipt", queue: "receipts" });

await startChargingNode(async (context, client) => {
  await client.query("BEGIN");
  const output = await outbox(client).once(context, async (children) => {
    await client.query("INSERT INTO charges (order_id) VALUES ($1)", [context.input.order]);
    await children.enqueue(receipt, context.input);
    return { chargedBy: process.pid };
  });
  await client.query("COMMIT");
  if (output.chargedBy === process.pid) process.kill(process.pid, "SIGKILL");
  return output;
});
