// A node that stands still where it is asked to, to be killed there:
// `node-program.ts NATS_URL NAMESPACE DATABASE`. It notes each message that comes to it.
import { setTimeout as pause } from "node:timers/promises";
import { type Delivery, withOwn } from "@millrace/core";
import { createNode } from "millrace";
import { beginOnPool, createOutbox, pgTransaction } from "millrace/outbox";
import pg from "pg";
import { connectTo } from "../../reliability/programs/connect.ts";
import { charge, receipt } from "./jobs.ts";
import { StandStill } from "./stand-still.ts";

const [servers = "", namespace = "", database = ""] = process.argv.slice(2);
const still = new StandStill();
const pool = new pg.Pool({ connectionString: database, max: 8, connectionTimeoutMillis: 5_000 });
// Connections break with the database; the statement that is under way says so.
pool.on("error", () => {});
pool.on("connect", (client) => client.on("error", () => {}));

const begin = beginOnPool<pg.PoolClient>(pool);
const shop = createOutbox(pgTransaction).database<pg.PoolClient>(async (act) => {
  await begin(async (client) => {
    await act(client);
    await still.at("before the commit");
  });
  await still.at("after the commit", () => new Error("The connection broke."));
});

/** Two messages of one id are one that was published twice. */
const notes = new Set<Promise<void>>();
async function note({ message }: Delivery): Promise<void> {
  const { queue, headers, sequence } = message;
  for (;;) {
    try {
      await pool.query(
        "INSERT INTO messages (queue, id, sequence) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        [queue, headers["nats-msg-id"], sequence],
      );
      return;
    } catch {
      // The database is away. The job can't end before it is back.
      await pause(50);
    }
  }
}

const own = await connectTo({ servers, namespace });
const broker = withOwn(own, {
  work: (queue, options) =>
    own.work(queue, {
      ...options,
      onDelivery(delivery) {
        const noting = note(delivery).finally(() => notes.delete(noting));
        notes.add(noting);
        options.onDelivery(delivery);
      },
    }),
  async settle(delivery, steps) {
    const { queue } = delivery.message;
    // What is settled comes no more, so it is noted before.
    await Promise.all(notes);
    if (queue === charge.queue) await still.at("before it is settled");
    await own.settle(delivery, steps);
    if (queue === charge.queue) await still.at("after it is settled");
  },
});

const node = await createNode({
  broker,
  namespace,
  env: {},
  leaseMs: 3_000,
  // It is killed again and again, and its jobs are not to blame.
  poisonAfter: 1_000,
  queues: { [charge.queue]: 10, [receipt.queue]: 10 },
  jobs: [
    charge.handler(async ({ input, transaction }) => {
      await Promise.all(notes);
      await still.at("before the transaction");
      await transaction(shop, async (tx, outbox) => {
        await still.at("after the record");
        await tx.query("INSERT INTO charges (order_id) VALUES ($1)", [input.order]);
        await still.at("after the effect");
        await outbox.enqueue(receipt, input);
        await still.at("after the enqueue");
      });
    }),
    receipt.handler(() => Promise.all(notes).then(() => {})),
  ],
});
await node.start();
console.log("ready");
