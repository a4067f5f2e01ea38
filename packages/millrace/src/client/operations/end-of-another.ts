import type { Broker, Clock } from "@millrace/core";
import { isOpen, readOperation } from "./operation.ts";
import { getOperation, operationsBucket } from "./operation-store.ts";

/** Whoever is at it may have died: then its lock is free some time later, and nobody says so. */
const AGAIN_MS = 1_000;

/** Until an operation that another carries out has ended, or it is worth another try. */
export async function endOfAnother(broker: Broker, id: string, clock: Clock): Promise<void> {
  const store = await operationsBucket(broker);
  const again = Promise.withResolvers<void>();
  const timer = clock.setTimer(AGAIN_MS, again.resolve);
  const look = ({ value }: { readonly value: unknown }): void => {
    const operation = readOperation(value);
    if (operation !== undefined && !isOpen(operation)) again.resolve();
  };
  try {
    const watch = await store.watch(({ document }) => document && look(document), id);
    try {
      // It may have ended before it was watched.
      if (isOpen((await getOperation(store, id)).operation)) await again.promise;
    } finally {
      await watch.stop();
    }
  } finally {
    timer.cancel();
  }
}
