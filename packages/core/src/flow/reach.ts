import type { ChainLink } from "../envelope/chain-link.ts";
import type { Envelope } from "../envelope/envelope.ts";

type Sender = Pick<Envelope, "next" | "sentFrom">;

/**
 * The first job that may not follow, because whoever wrote it can't reach its queue. What came in
 * on a queue's producers' door reaches that queue, and those that an operator lets it send on to;
 * what a trusted program enqueued reaches all.
 *
 * @param sendsTo the queues that a queue may send on to
 */
export function linkOutOfReach(
  { next, sentFrom }: Sender,
  sendsTo: (queue: string) => readonly string[],
): ChainLink | undefined {
  if (next === undefined || sentFrom === undefined) return undefined;
  let reach: readonly string[] | undefined;
  return next.find(({ queue }) => {
    if (queue === sentFrom) return false;
    reach ??= sendsTo(sentFrom);
    return !reach.includes(queue);
  });
}

/**
 * Whether a job that is enqueued names queues that only a trusted program may: it takes the
 * programs' door, where nobody asks.
 */
export function needsProgramDoor({ queue, next, generation }: Envelope): boolean {
  return next !== undefined && generation === 0 && next.some((link) => link.queue !== queue);
}
