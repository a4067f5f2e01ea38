import { type Broker, type Clock, MillraceError } from "@millrace/core";
import type { Cursors } from "./index-calls.ts";

/** How far streams go. */
interface Ends {
  readonly newest: number;
  readonly queues: Readonly<Record<string, number>>;
}

const LOOK_MS = 250;
const STANDS_MS = 60_000;

/**
 * Waits until an index that another process keeps has all in it that is stored now.
 *
 * @param look how far it is; undefined once no other process keeps it
 * @returns the history's newest record; undefined likewise
 */
export async function readElsewhere(
  { broker, clock }: { readonly broker: Broker; readonly clock: Clock },
  look: () => Promise<Cursors | undefined>,
): Promise<number | undefined> {
  const ends = await endsOf(broker);
  let before = "";
  let movedAt = clock.monotonic();
  for (;;) {
    const cursors = await look();
    if (cursors === undefined) return undefined;
    if (hasReached(cursors, ends)) return ends.newest;
    const now = JSON.stringify(cursors);
    if (now !== before) movedAt = clock.monotonic();
    before = now;
    if (clock.monotonic() - movedAt >= STANDS_MS)
      throw new MillraceError(
        "index-failed",
        "Another process keeps the index of jobs, and does not read on.",
      );
    await new Promise<void>((resolve) => clock.setTimer(LOOK_MS, resolve));
  }
}

async function endsOf(broker: Broker): Promise<Ends> {
  const { newest } = await broker.history.stretch({ after: 0, limit: 1 });
  const queues: Record<string, number> = {};
  for (const { queue } of await broker.queues.list()) {
    const found = await broker.arrivals.stretch(queue, { after: 0, limit: 1 }).catch(ofNoQueue);
    if (found !== undefined) queues[queue] = found.newest;
  }
  return { newest, queues };
}

function hasReached(cursors: Cursors, { newest, queues }: Ends): boolean {
  return (
    cursors.position >= newest &&
    Object.entries(queues).every(([name, last]) => (cursors.queues[name] ?? 0) >= last)
  );
}

/** A queue that is gone holds nothing. */
export function ofNoQueue(error: unknown): undefined {
  if (MillraceError.is(error, "queue-not-found")) return undefined;
  throw error;
}
