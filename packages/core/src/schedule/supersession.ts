import type { ScheduleState } from "./schedule-state.ts";
import type { TickOrigin } from "./tick-job.ts";

/**
 * Whether a tick's job is the one that counts. `stale`: a later leadership enqueued the tick, and
 * this publication came from a leader that was frozen in between. `undecided`: a later leadership
 * is about to.
 */
export function judgeTickJob(
  { tick, token }: TickOrigin,
  { terms, intent }: ScheduleState,
): "counts" | "stale" | "undecided" {
  if (intent?.tick === tick && intent.token > token) return "undecided";
  return terms.some((term) => term.token > token && term.from <= tick) ? "stale" : "counts";
}
