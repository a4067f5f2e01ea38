import { chargeId, receiptId } from "./jobs.ts";
import { liveThroughOutbox, type OutboxWorld, type OutboxWorldOptions } from "./outbox-world.ts";

/** What must never be, whatever fault there was. */
export type OutboxViolation =
  /** Committed, and its job was never published, never ended well, or had no effect. */
  | "lost"
  /** Rolled back, and something of it is there. */
  | "phantom"
  | "published-twice"
  | "charged-twice"
  | "set-aside"
  | "stuck";

export interface Found {
  readonly is: OutboxViolation;
  readonly order: number | undefined;
  readonly detail: string;
}

/** A seed's world, and what is wrong with it. The oracle knows of no fault. */
export async function judgeOutbox(
  options: OutboxWorldOptions,
): Promise<{ readonly world: OutboxWorld; readonly found: readonly Found[] }> {
  const world = await liveThroughOutbox(options);
  return { world, found: [...judge(world)] };
}

function* judge(world: OutboxWorld): Generator<Found> {
  const { database, claims, written, stored, succeeded } = world;
  for (const order of written) {
    const charges = database.charges.filter((one) => one === order).length;
    const isCommitted = database.orders.has(order);
    if (!isCommitted && charges > 0) yield { is: "phantom", order, detail: "charged" };
    if (charges > 1) yield { is: "charged-twice", order, detail: `${charges} times` };
    for (const id of [chargeId(order), receiptId(order)]) {
      const times = stored.filter((one) => one === id).length;
      if (times > 1) yield { is: "published-twice", order, detail: `${id}, ${times} times` };
      if (!isCommitted && times > 0) yield { is: "phantom", order, detail: `${id} was published` };
      if (isCommitted && times === 0) yield { is: "lost", order, detail: `${id} is not there` };
      if (isCommitted && !succeeded.has(id))
        yield { is: "lost", order, detail: `${id} has not ended well` };
    }
    if (isCommitted && charges === 0) yield { is: "lost", order, detail: "never charged" };
  }
  for (const { detail } of claims.setAside) yield { is: "set-aside", order: undefined, detail };
  if (!world.isQuiet)
    yield { is: "stuck", order: undefined, detail: `${database.rows.size} rows wait` };
}
