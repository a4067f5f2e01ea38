import { createOutbox } from "millrace/outbox";
import type { SimProcess } from "../engine/process.ts";
import { between } from "../engine/dice.ts";
import { sleep } from "../world/insist.ts";
import { DatabaseLine } from "./database-line.ts";
import { charge, chargeId } from "./jobs.ts";
import type { ModelTransaction } from "./model-database.ts";
import type { Household } from "./serve.ts";

const TRANSACTIONS = 40;
/** All of them begin within this. */
const SPREAD_MS = 45_000;
/** Most are short; some stay open while others that began later commit. */
const LONG_MS = 10_000;

class Undo extends Error {}

/**
 * Writes orders with their charges, many transactions at a time, some of which are rolled back.
 *
 * @returns every order, also those of which nothing is left
 */
export async function writeOrders(
  process: SimProcess,
  { dice, ...household }: Household,
): Promise<ReadonlySet<number>> {
  const line = new DatabaseLine({ process, ...household });
  const outbox = createOutbox((tx: ModelTransaction) => tx, { clock: process.clock });
  const all = new Set<number>();

  async function transaction(n: number): Promise<void> {
    const of = (what: string): string => `transaction ${n} ${what}`;
    await sleep(process.clock, dice(of("begins")) * SPREAD_MS);
    const orders = Array.from({ length: between(dice, of("orders"), 1, 4) }, (_, i) => n * 10 + i);
    for (const order of orders) all.add(order);
    await line.transaction(async (tx) => {
      for (const order of orders) {
        tx.placeOrder(order);
        await outbox(tx).enqueue(charge, { order }, { id: chargeId(order) });
      }
      await sleep(process.clock, dice(of("takes")) ** 4 * LONG_MS);
      if (dice(of("is undone")) < 0.25) throw new Undo();
    });
  }

  await Promise.allSettled(Array.from({ length: TRANSACTIONS }, (_, n) => transaction(n + 1)));
  return all;
}
