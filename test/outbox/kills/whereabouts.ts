import type { Broker } from "@millrace/core";
import type pg from "pg";
import { charge } from "./jobs.ts";

const MOST = 3;
const UNCHARGED = `SELECT id FROM orders WHERE id NOT IN (SELECT order_id FROM charges)
  ORDER BY id LIMIT ${MOST}`;
const MESSAGES = "SELECT sequence FROM messages WHERE queue = $1 AND id = $2";
const DONE = "SELECT enqueued_at, done_at FROM millrace_done WHERE queue = $1 AND job_id = $2";

/**
 * What is known of orders that were not charged, for whoever reads the failure.
 *
 * @param said lines of every process that took part
 */
export async function whereabouts(
  pool: pg.Pool,
  broker: Broker,
  said: readonly string[],
): Promise<string> {
  const { rows } = await pool.query<{ id: number }>(UNCHARGED);
  const told = await Promise.all(
    rows.map(async ({ id: order }) => {
      const { queue } = charge;
      const id = `order-${order}`;
      const [messages, done, waiting, records, letters] = await Promise.all([
        pool.query(MESSAGES, [queue, id]),
        pool.query(DONE, [queue, id]),
        broker.findWaiting(id, { queue }),
        broker.history.read({ id, queue }),
        broker.deadLetters.list({ id, queue, limit: 5 }),
      ]);
      const known = { delivered: messages.rows, done: done.rows, waiting, records, letters };
      const lines = said.filter((line) => line.includes(`"${id}"`));
      return [`${id}: ${JSON.stringify(known)}`, ...lines].join("\n  ");
    }),
  );
  return told.join("\n");
}
