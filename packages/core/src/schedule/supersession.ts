import type { ScheduleState, Term } from "./schedule-state.ts";
import type { TickOrigin } from "./tick-job.ts";

/**
 * Whether a tick's job is the one that counts. `stale`: another leadership enqueued the tick, and
 * this publication came from a leader that was frozen in between; or the tick was left out.
 * `undecided`: a later leadership is about to.
 */
export function judgeTickJob(
  { tick, token }: TickOrigin,
  { terms, intent, dropped }: ScheduleState,
): "counts" | "stale" | "undecided" {
  if (dropped?.includes(tick) === true) return "stale";
  if (intent?.tick === tick && intent.token > token) return "undecided";
  const cameTooLate = (term: Term): boolean =>
    term.token === token ? term.from > tick : term.token > token && term.from <= tick;
  return terms.some(cameTooLate) ? "stale" : "counts";
}
