import type { DocumentStore } from "@millrace/core";
import { FORGOTTEN_AFTER_MS } from "./node-report.ts";

/** An order for a node that is not there may be meant for one that comes back under its name. */
const ORDER_KEPT_MS = 24 * 3_600_000;
/** Every watcher has heard of a removal by then. */
const REMOVAL_KEPT_MS = 3_600_000;

/** Drops what nodes that died left behind. Any number of nodes may, at any time. */
export async function sweepPresence(nodes: DocumentStore, orders: DocumentStore): Promise<void> {
  const now = await nodes.now();
  const present = new Set<string>();
  for (const { key, revision, updatedAt } of await nodes.list()) {
    if (now - updatedAt <= FORGOTTEN_AFTER_MS) present.add(key);
    else await nodes.erase(key, revision);
  }
  for (const { key, revision, updatedAt } of await orders.list())
    if (!present.has(key) && now - updatedAt > ORDER_KEPT_MS) await orders.erase(key, revision);
  await orders.forgetRemoved({ olderThanMs: REMOVAL_KEPT_MS });
}
