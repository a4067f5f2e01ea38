import type pg from "pg";
import type { InTransaction } from "./systems.ts";

/** Connections at the same time: commits that notify wait for each other. */
const WRITERS = 4;
/** Ids of orders, of the whole run. */
let orders = 0;

/** Transactions a second that insert a row and enqueue a job, by four writers. */
export async function transactionsASecond(
  system: InTransaction,
  pool: pg.Pool,
  transactions: number,
): Promise<number> {
  await system.prepare?.();
  let left = transactions;
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: WRITERS }, async () => {
      const client = await pool.connect();
      try {
        for (; left > 0; left -= 1) await transaction(system, client);
      } finally {
        client.release();
      }
    }),
  );
  const tookMs = performance.now() - startedAt;
  await system.empty?.();
  return (transactions * 1_000) / tookMs;
}

/** Milliseconds from each commit to the first line of its handler, one after the other. */
export async function commitToHandler(
  system: InTransaction,
  pool: pg.Pool,
  { count, gapMs }: { readonly count: number; readonly gapMs: number },
): Promise<readonly number[]> {
  const began = new Map<number, () => void>();
  const stop = await system.take?.((n) => began.get(n)?.());
  if (stop === undefined) return [];
  const client = await pool.connect();
  const waits: number[] = [];
  try {
    for (let n = 0; n < count; n += 1) {
      const { promise, resolve } = Promise.withResolvers<number>();
      const order = orders + 1;
      began.set(order, () => resolve(performance.now()));
      await transaction(system, client);
      const committedAt = performance.now();
      // It may begin before the commit's answer is here.
      waits.push(Math.max(0, (await promise) - committedAt));
      began.delete(order);
      await pause(gapMs);
    }
  } finally {
    client.release();
    await stop();
    await system.empty?.();
  }
  return waits;
}

async function transaction(system: InTransaction, client: pg.PoolClient): Promise<void> {
  const order = (orders += 1);
  await client.query("BEGIN");
  await client.query("INSERT INTO orders (id) VALUES ($1)", [order]);
  await system.enqueue(client, order);
  await client.query("COMMIT");
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
