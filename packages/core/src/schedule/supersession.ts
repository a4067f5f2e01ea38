import type { ScheduleState } from "./schedule-state.ts";
import type { SlotOrigin } from "./slot-job.ts";

/**
 * Whether a slot's job is the one that counts. `stale`: a later leadership enqueued the slot, and
 * this publication came from a leader that was frozen in between. `undecided`: a later leadership
 * is about to.
 */
export function judgeSlotJob(
  { slot, token }: SlotOrigin,
  { terms, intent }: ScheduleState,
): "counts" | "stale" | "undecided" {
  if (intent?.slot === slot && intent.token > token) return "undecided";
  return terms.some((term) => term.token > token && term.from <= slot) ? "stale" : "counts";
}
