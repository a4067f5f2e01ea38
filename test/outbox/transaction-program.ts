// A node whose handler is killed right after its first transaction has committed:
// `transaction-program.ts NATS_URL NAMESPACE DATABASE`.
import { defineJob } from "millrace";
import { startChargingNode } from "./charging-node.ts";

const receipt = defineJob<{ order: number }>({ name: "receipt", queue: "receipts" });

await startChargingNode(async ({ input, transaction }, shop) => {
  const output = await transaction(shop, async (tx, outbox) => {
    await tx.query("INSERT INTO charges (order_id) VALUES ($1)", [input.order]);
    await outbox.enqueue(receipt, input);
    return { chargedBy: process.pid };
  });
  if (output.chargedBy === process.pid) process.kill(process.pid, "SIGKILL");
  return output;
});
