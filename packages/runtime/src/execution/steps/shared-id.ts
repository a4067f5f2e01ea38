import type { Broker, Clock, Envelope } from "@millrace/core";

/** A long queue is searched for so long. */
const SEARCH_MS = 5_000;

/**
 * Whether another job has the id, wherever it waits or runs: what lies there may be for that one,
 * whose end forgets it. Rejects where it can't be found out in time.
 */
export async function isIdShared(
  broker: Pick<Broker, "findWaiting">,
  { id, queue, createdAt }: Envelope,
  clock: Pick<Clock, "setTimer">,
): Promise<boolean> {
  const search = new AbortController();
  const timer = clock.setTimer(SEARCH_MS, () => search.abort());
  const where = ({ envelope }: { readonly envelope: Envelope }): boolean =>
    Math.floor(envelope.createdAt) !== Math.floor(createdAt);
  try {
    const { signal } = search;
    return (await broker.findWaiting(id, { queue, where, signal })) !== undefined;
  } finally {
    timer.cancel();
  }
}
