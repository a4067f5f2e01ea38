// A node whose effects are committed once, to be killed:
// `kills-program.ts NATS_URL NAMESPACE DATABASE`.
import { createOutbox, pgTransaction } from "millrace/outbox";
import { startChargingNode } from "./charging-node.ts";

const outbox = createOutbox(pgTransaction);

const charge: Parameters<typeof startChargingNode>[0] = async (context, client) => {
  // In no transaction: it stays, whatever becomes of the run.
  const { id, generation } = context.job;
  await client.query("INSERT INTO runs (job, generation) VALUES ($1, $2)", [id, generation]);
  await client.query("BEGIN");
  try {
    await outbox(client).once(context, async () => {
      await client.query("INSERT INTO charges (order_id) VALUES ($1)", [context.input.order]);
    });
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK").catch(() => "the database is gone, and the transaction with it");
    throw error;
  }
};

// The database may be away for many attempts.
await startChargingNode(charge, {
  leaseMs: 3_000,
  retry: { attempts: 1_000, base: "200ms", max: "2s" },
});
