import type { SyncTransaction, Transaction } from "../database/transaction.ts";
import { createOutbox, type Outbox, type OutboxOf } from "./outbox.ts";
import type { OutboxOptions } from "./outbox-options.ts";
import { createSyncOutbox, type SyncOutbox } from "./sync-outbox.ts";

/** Makes a transaction of what a driver calls one: `pgTransaction` and the others are such. */
export type OutboxAdapter = (tx: never) => Transaction | SyncTransaction;

/** The outbox of each transaction of an adapter's: one that waits, or not, as its driver does. */
export type AdaptedOutbox<Adapter extends OutboxAdapter> = Adapter extends (
  tx: infer Tx,
) => infer Made
  ? Made extends SyncTransaction
    ? (tx: Tx) => SyncOutbox
    : OutboxOf<Tx>
  : never;

/** `createOutbox` or `createSyncOutbox`, whichever the adapter is for. */
export function createAdaptedOutbox<Adapter extends OutboxAdapter>(
  adapter: Adapter,
  options: OutboxOptions,
): AdaptedOutbox<Adapter> {
  const waiting = createOutbox(adapter as (tx: never) => Transaction, options);
  const sync = createSyncOutbox(adapter as (tx: never) => SyncTransaction, options);
  const outbox = (tx: never): Outbox | SyncOutbox =>
    "runSync" in adapter(tx) ? sync(tx) : waiting(tx);
  return Object.assign(outbox, { database: waiting.database }) as AdaptedOutbox<Adapter>;
}
