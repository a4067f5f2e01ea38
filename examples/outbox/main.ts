// Orders in SQLite, charged by jobs: `node main.ts shop.db`. Needs a NATS server.
import { connect, createNode } from "millrace";
import { sqliteOutbox, startRelay } from "millrace/outbox";
import { DatabaseSync } from "node:sqlite";
import { chargeOrder, placeOrder } from "./shop.ts";

const path = process.argv[2] ?? "shop.db";
const store = sqliteOutbox({ path });
await store.migrate();
const database = new DatabaseSync(path, { timeout: 5_000 });
database.exec("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, cents INTEGER)");

placeOrder(database, 1, 4_200);
try {
  placeOrder(database, 2, 0);
} catch (error) {
  console.log(String(error));
}

const millrace = await connect();
const node = await createNode({
  jobs: [
    chargeOrder.handler(({ input }) => console.log(`order ${input.orderId}: ${input.cents} cents`)),
  ],
});
await node.start();

// The jobs have waited in the database. The relay brings them to their queue, if need be later.
const relay = await startRelay({ broker: millrace.broker, store });
relay.wake();
await millrace.handle("charge-1", "shop").result({ timeout: "30s", appearsWithin: "30s" });
await relay.stop();
await node.stop();
await millrace.close();
database.close();
