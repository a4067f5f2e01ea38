// A node whose handler charges in a transaction that stays open until SIGUSR2:
// `zombie-program.ts NATS_URL NAMESPACE DATABASE`. It pays no attention to its signal.
import { once } from "node:events";
import { startChargingNode } from "./charging-node.ts";

const mayGo = once(process, "SIGUSR2");

await startChargingNode(async ({ input, transaction }, shop) => {
  try {
    console.log("begins");
    const output = await transaction(shop, async (tx) => {
      await tx.query("INSERT INTO charges (order_id) VALUES ($1)", [input.order]);
      console.log("charged");
      await mayGo;
      return { chargedBy: process.pid };
    });
    console.log("committed");
    return output;
  } catch (error) {
    console.log("rolled back");
    throw error;
  }
});
