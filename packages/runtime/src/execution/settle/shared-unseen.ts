import type { Outcome, SettlementInput } from "@millrace/core";
import type { JobInHand } from "../job-in-hand.ts";

const GOES_ON: ReadonlySet<Outcome["kind"]> = new Set<Outcome["kind"]>([
  "interrupted",
  "blocked",
  "deferred",
  "failed",
  "timed-out",
  "snoozed",
]);

/**
 * It goes on by another message, and a server that was killed may have handed it to another node
 * too, before it came or while it ran: nobody has looked what became of it there. A second end is
 * refused by itself.
 *
 * @returns since when, by the broker's clock
 */
export function sharedUnseenSince(
  { host: { recentEnds }, delivery: { message }, losses, cameAt }: JobInHand,
  { from, outcome }: SettlementInput,
): number | undefined {
  const isElsewhere = outcome.kind === "deferred" && outcome.elsewhere === true;
  const mayBeShared =
    recentEnds.losses !== losses ||
    recentEnds.mayBeElsewhere(message, cameAt) ||
    (from === "queued" && (isElsewhere || recentEnds.reachesBack(message)));
  return GOES_ON.has(outcome.kind) && mayBeShared ? Math.floor(message.storedAt) : undefined;
}
