import type { Broker, WaitingJob } from "@millrace/core";

/** So much of what jobs carry is held in memory at a time. */
export const PAGE_BYTES = 4 * 2 ** 20;

/**
 * The first jobs that lie in a queue itself, handed out or not, in the order of storing.
 *
 * @param limit of all of them
 * @throws MillraceError `queue-not-found`
 */
export async function* waitingPages(
  broker: Broker,
  queue: string,
  limit: number,
): AsyncGenerator<readonly WaitingJob[], void, undefined> {
  let left = limit;
  for (let after = 0; left > 0;) {
    const page = await broker.listWaiting(queue, { limit: left, after, bytes: PAGE_BYTES });
    const queued = page.filter(({ state }) => state === "queued");
    const last = queued.at(-1)?.position;
    if (last === undefined) return;
    yield queued;
    // Those that wait for their time come behind the last of the queue's own.
    if (queued.length < page.length) return;
    left -= queued.length;
    after = last;
  }
}
