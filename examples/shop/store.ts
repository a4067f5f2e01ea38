// Orders in PostgreSQL. An order and its charge are written in one transaction.
import type { MillraceWithOutbox, TransactionalDatabase } from "millrace";
import { beginOnPool, createOutbox, type Outbox, pgTransaction } from "millrace/outbox";
import type { Pool, PoolClient } from "pg";
import { charge, type Order } from "./definitions.ts";

export const SCHEMA = `
  CREATE TABLE IF NOT EXISTS orders (
    id text PRIMARY KEY,
    customer text NOT NULL,
    cents integer NOT NULL CHECK (cents > 0),
    state text NOT NULL DEFAULT 'placed',
    receipt text,
    invoice text
  );
  CREATE TABLE IF NOT EXISTS mails ("order" text PRIMARY KEY, text text NOT NULL);
  CREATE TABLE IF NOT EXISTS reports (day date PRIMARY KEY, orders integer, cents integer);
`;

/** What an order is placed with. */
export interface ShopServices {
  readonly millrace: MillraceWithOutbox<typeof pgTransaction>;
  readonly pool: Pool;
}

/** The id of an order's charge. Known to everybody, so nobody has to store it. */
export const chargeId = (order: string): string => `charge-${order}`;

/** @throws where the database refuses the order: then there is no charge either */
export async function placeOrder({ millrace, pool }: ShopServices, order: Order): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    await client.query("INSERT INTO orders (id, customer, cents) VALUES ($1, $2, $3)", [
      order.id,
      order.customer,
      order.cents,
    ]);
    await millrace.outbox(client).enqueue(charge, order, { id: chargeId(order.id) });
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  } finally {
    client.release();
  }
}

export interface StoredOrder extends Order {
  readonly state: string;
  readonly receipt: string | null;
  readonly invoice: string | null;
}

export async function findOrder(pool: Pool, id: string): Promise<StoredOrder | undefined> {
  const { rows } = await pool.query<StoredOrder>("SELECT * FROM orders WHERE id = $1", [id]);
  return rows[0];
}

/** What the jobs write, in a transaction that says that the job is done. */
export interface Books {
  paid(order: string, receipt: string): Promise<void>;
  failed(order: string, state: "unpaid" | "cancelled"): Promise<void>;
  invoiced(order: string, invoice: string): Promise<void>;
  /** Stands for a mail server. */
  mailed(order: string, text: string): Promise<void>;
  reported(day: string): Promise<void>;
}

export function booksIn(pool: Pool): TransactionalDatabase<Books, Outbox> {
  const database = createOutbox(pgTransaction).database(beginOnPool(pool));
  return { once: (run, act) => database.once(run, (client, own) => act(booksOn(client), own)) };
}

function booksOn(client: PoolClient): Books {
  const run = async (sql: string, ...values: readonly unknown[]): Promise<void> =>
    void (await client.query(sql, [...values]));
  return {
    paid: (order, receipt) =>
      run("UPDATE orders SET state = 'paid', receipt = $2 WHERE id = $1", order, receipt),
    failed: (order, state) => run("UPDATE orders SET state = $2 WHERE id = $1", order, state),
    invoiced: (order, invoice) =>
      run("UPDATE orders SET invoice = $2 WHERE id = $1", order, invoice),
    mailed: (order, text) => run("INSERT INTO mails VALUES ($1, $2)", order, text),
    reported: (day) =>
      run(
        `INSERT INTO reports SELECT $1, count(*), coalesce(sum(cents), 0) FROM orders
         WHERE state = 'paid'
         ON CONFLICT (day) DO UPDATE SET orders = excluded.orders, cents = excluded.cents`,
        day,
      ),
  };
}
