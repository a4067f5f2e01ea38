import type pg from "pg";

export interface Verdict {
  readonly committed: readonly number[];
  /** Orders as they were charged: one that was charged twice is there twice. */
  readonly charged: readonly number[];
  /** Receipts that came to the node, each once. */
  readonly receipts: number;
  /** Jobs of which a relay stored two messages. */
  readonly publishedTwice: readonly string[];
  /** Rows of the outbox. */
  readonly left: number;
}

const ORDERS = "SELECT id FROM orders ORDER BY id";
const CHARGES = "SELECT order_id AS id FROM charges ORDER BY order_id";
/** Those of a later attempt are not a relay's. */
const OF_RELAYS = "FROM messages WHERE id NOT LIKE 'millrace/%'";
const TWICE = `SELECT queue || ' ' || id AS id ${OF_RELAYS}
  GROUP BY queue, id HAVING count(DISTINCT sequence) > 1`;
const RECEIPTS = `SELECT count(DISTINCT id)::int AS id ${OF_RELAYS} AND queue = 'receipts'`;
const LEFT = "SELECT count(*)::int AS id FROM millrace_outbox";

/** What the database knows. */
export async function judge(pool: pg.Pool): Promise<Verdict> {
  const ids = async <Id>(sql: string): Promise<readonly Id[]> =>
    (await pool.query<{ id: Id }>(sql)).rows.map(({ id }) => id);
  const [left = Number.NaN] = await ids<number>(LEFT);
  const [receipts = Number.NaN] = await ids<number>(RECEIPTS);
  return {
    left,
    receipts,
    committed: await ids<number>(ORDERS),
    charged: await ids<number>(CHARGES),
    publishedTwice: await ids<string>(TWICE),
  };
}

/** Whether nothing is missing; more than that the caller judges. */
export function isComplete({ left, committed, charged, receipts }: Verdict): boolean {
  return left === 0 && new Set(charged).size === committed.length && receipts >= committed.length;
}

export function describeVerdict(verdict: Verdict): string {
  const { committed, charged, receipts, left, publishedTwice } = verdict;
  return (
    `${committed.length} orders committed, ${charged.length} charged, ${receipts} receipts, ` +
    `${left} rows left, ${publishedTwice.length} jobs published twice`
  );
}
