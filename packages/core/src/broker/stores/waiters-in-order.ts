import type { LockWaiter } from "./lock-store.ts";

/** By the lock's name, and who has waited longest first; only locks whose name begins so. */
export function waitersInOrder(waiters: Iterable<LockWaiter>, prefix = ""): readonly LockWaiter[] {
  return [...waiters]
    .filter(({ name }) => name.startsWith(prefix))
    .sort((a, b) => (a.name === b.name ? a.since - b.since : a.name < b.name ? -1 : 1));
}
