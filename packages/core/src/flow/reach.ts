import type { ChainLink, Envelope } from "../envelope/envelope.ts";
import { isInvoked } from "../ids/invoked-id.ts";
import { isCalled } from "../ids/called-id.ts";

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
 * Whether a job that is enqueued needs the programs' door, where nobody asks: it names queues that
 * only a trusted program may, or a step has called it or a machine has invoked it, which no
 * producer may say of its own.
 */
export function needsProgramDoor({ id, queue, next, generation }: Envelope): boolean {
  if (generation !== 0) return false;
  return (
    isCalled({ id }) ||
    isInvoked({ id }) ||
    (next !== undefined && next.some((link) => link.queue !== queue))
  );
}
