import type { MissedPolicy } from "./schedule.ts";
import type { Intent, LeftOut, ScheduleState } from "./schedule-state.ts";
import { nextTicks, ticksAfter, ticksBetween } from "./ticks.ts";
import type { StoredSchedule } from "./stored-schedule.ts";

/** What is known about the schedule's previous job. */
export type PreviousState = "ended" | "going" | "unknown";

/** The next thing that a leader has to do about a schedule. */
export type TickPlan =
  /**
   * An intent is on record: find out whether its job is there, and enqueue it where it is not.
   * `drop`: or leave it out, for this reason.
   */
  | { readonly do: "resolve"; readonly drop?: LeftOut }
  /** Ask what has become of the previous job, then plan again. */
  | { readonly do: "look" }
  /** `cancel`: the previous job first. */
  | { readonly do: "fire"; readonly tick: number; readonly cancel: boolean }
  | { readonly do: "queue"; readonly tick: number }
  | ({ readonly do: "skip" } & LeftOut)
  /** Nothing is due before `until`. `onEnd`: or before the previous job has ended. */
  | { readonly do: "wait"; readonly until: number | undefined; readonly onEnd: boolean };

/** Missed ticks are counted no further than this: the number is for people. */
const COUNTED = 1_000;

/** Decides from what is on record and what time it is. One tick at a time, the oldest first. */
export function planTick(
  schedule: StoredSchedule,
  state: ScheduleState,
  now: number,
  previous: PreviousState,
): TickPlan {
  if (state.intent !== undefined) {
    const drop = unwanted(schedule, state, state.intent, now);
    return drop === undefined ? { do: "resolve" } : { do: "resolve", drop };
  }
  if (state.pausedAt !== undefined) return { do: "wait", until: undefined, onEnd: false };
  // If the schedule's times were changed since, ticks of the old times don't count.
  const decided = Math.max(state.lastTick ?? 0, schedule.since);
  const missed = missedTicks(schedule, decided, now);
  if (missed !== undefined) return { do: "skip", ...missed };
  const [next] = nextTicks(schedule, decided, 1);
  const due = next !== undefined && next <= now ? next : undefined;
  if (state.queued !== undefined) {
    if (previous === "unknown") return { do: "look" };
    if (previous === "ended") return { do: "fire", tick: state.queued, cancel: false };
    if (due !== undefined) return { do: "skip", reason: "queue-full", upTo: due, count: 1 };
    return { do: "wait", until: next, onEnd: true };
  }
  if (due === undefined) return { do: "wait", until: next, onEnd: false };
  if (schedule.overlap === "allow" || state.job === undefined)
    return { do: "fire", tick: due, cancel: false };
  if (previous === "unknown") return { do: "look" };
  if (previous === "ended") return { do: "fire", tick: due, cancel: false };
  switch (schedule.overlap) {
    case "skip":
      return { do: "skip", reason: "overlap", upTo: due, count: 1 };
    case "queue":
      return { do: "queue", tick: due };
    case "cancel":
      return { do: "fire", tick: due, cancel: true };
  }
}

/**
 * A tick that was about to be enqueued and is not to be any more, with those after it that are
 * missed as well: its queue may have refused the job for hours, or its leader have died.
 */
function unwanted(
  schedule: StoredSchedule,
  { pausedAt, queued }: ScheduleState,
  { tick }: Intent,
  now: number,
): LeftOut | undefined {
  if (pausedAt !== undefined) return { reason: "paused", upTo: tick, count: 1 };
  // It waited as it should, and was decided by the times of then.
  if (tick === queued) return undefined;
  if (tick <= schedule.since) return { reason: "changed", upTo: tick, count: 1 };
  const missed = missedTicks(schedule, tick - 1, now);
  return missed !== undefined && missed.upTo >= tick ? missed : undefined;
}

/** The ticks that are later than `lateAfterMs` and that the policy leaves out. */
function missedTicks(schedule: StoredSchedule, decided: number, now: number): LeftOut | undefined {
  const edge = now - schedule.lateAfterMs - 1;
  const kept = madeUpFor(schedule.missed);
  // One more than are made up for: the newest that is not.
  const lateOnes = ticksBetween(schedule, decided, edge, kept + 1);
  const upTo = lateOnes.length > kept ? lateOnes[0] : undefined;
  if (upTo === undefined) return undefined;
  let count = 0;
  for (const tick of ticksAfter(schedule, decided)) {
    if (tick > upTo || count >= COUNTED) break;
    count += 1;
  }
  return { reason: "missed", upTo, count };
}

function madeUpFor(missed: MissedPolicy): number {
  return missed === "skip" ? 0 : missed === "once" ? 1 : missed.all;
}
