import type { AdaptedOutbox, OutboxAdapter, OutboxOptions } from "@millrace/outbox";
import { MillraceError } from "@millrace/core";
import type { CallLimits } from "./call-limits.ts";
import type { Millrace } from "./millrace.ts";

/** A client that enqueues in transactions of a database too. Made by `connect({ outbox })`. */
export interface MillraceWithOutbox<Adapter extends OutboxAdapter> extends Millrace {
  /**
   * The outbox of an open transaction: its jobs are there if it commits, and only then. A relay
   * publishes them; see `docs/outbox.md`. `outbox.database(begin)` is the database for
   * `context.transaction`.
   *
   * @example
   * await db.transaction(async (tx) => {
   *   await tx.insert(orders).values(order);
   *   await millrace.outbox(tx).enqueue(chargeOrder, { id: order.id }, { delay: "10s" });
   * });
   */
  readonly outbox: AdaptedOutbox<Adapter>;
  with(limits: CallLimits): MillraceWithOutbox<Adapter>;
}

/** @throws MillraceError `invalid-option` */
export function requireAdapter(adapter: unknown): void {
  if (adapter === undefined || typeof adapter === "function") return;
  throw new MillraceError(
    "invalid-option",
    `outbox: is the adapter of your database's library, for example pgTransaction; got ${typeof adapter}.`,
  );
}

/**
 * The client with an outbox, whose jobs are as large as its server takes them. The package is
 * loaded here: few clients have one.
 */
export async function withOutbox<Adapter extends OutboxAdapter>(
  client: Millrace,
  adapter: Adapter,
  options: OutboxOptions,
): Promise<MillraceWithOutbox<Adapter>> {
  const { createAdaptedOutbox } = await import("@millrace/outbox");
  const { maxMessageBytes } = client.broker;
  return extended(client, createAdaptedOutbox(adapter, { ...options, maxMessageBytes }));
}

function extended<Adapter extends OutboxAdapter>(
  client: Millrace,
  outbox: AdaptedOutbox<Adapter>,
): MillraceWithOutbox<Adapter> {
  const limited = client.with.bind(client);
  return Object.assign(client, {
    outbox,
    with: (limits: CallLimits): MillraceWithOutbox<Adapter> => extended(limited(limits), outbox),
  });
}
