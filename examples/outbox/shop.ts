// An order and its job are written in one transaction: both are there, or neither is.
import { defineJob } from "millrace";
import { createSyncOutbox, sqliteTransaction } from "millrace/outbox";
import type { DatabaseSync } from "node:sqlite";

export const chargeOrder = defineJob<{ orderId: number; cents: number }>({
  name: "shop.charge",
  queue: "shop",
});

const outbox = createSyncOutbox(sqliteTransaction);

/** @throws where the order can't be placed: then no job is enqueued either */
export function placeOrder(database: DatabaseSync, orderId: number, cents: number): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    database.prepare("INSERT INTO orders (id, cents) VALUES (?, ?)").run(orderId, cents);
    outbox(database).enqueue(chargeOrder, { orderId, cents }, { id: `charge-${orderId}` });
    if (cents <= 0) throw new Error(`order ${orderId} costs nothing`);
    database.exec("COMMIT");
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}
