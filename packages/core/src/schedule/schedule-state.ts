/** Bucket of documents: how far each schedule is. Key: the schedule's name. */
export const SCHEDULE_STATE = "schedule-state";

/** A job that a schedule enqueued. */
export interface ScheduledJob {
  readonly id: string;
  readonly queue: string;
  readonly tick: number;
}

/**
 * A decision that was made about a tick, or a run that somebody asked for. Times: epoch
 * milliseconds.
 */
export interface ScheduleDecision {
  readonly what: "fired" | "skipped" | "run";
  readonly at: number;
  /** Of a run that was asked for: none. */
  readonly tick?: number;
  /** The job's; where ticks were skipped, none. */
  readonly id?: string;
  /** Of a tick that was fired later than its schedule's `lateAfter`: how long after its time. */
  readonly lateMs?: number;
  /** Why ticks were skipped, and how many. */
  readonly reason?: SkipReason;
  readonly count?: number;
}

/**
 * `missed`: nobody enqueued it in its time. `overlap`: the previous job had not ended.
 * `queue-full`: and another tick waits for its end already. `paused`, `changed`: it was due before,
 * but its job could not be enqueued until the schedule was paused, or had other times.
 */
export type SkipReason = "missed" | "overlap" | "queue-full" | "paused" | "changed";

/** Ticks that are left out. */
export interface LeftOut {
  readonly reason: SkipReason;
  /** The latest of them; none up to it is left. */
  readonly upTo: number;
  readonly count: number;
}

/**
 * What a leader is about to enqueue. It is on record before the job is published, so whoever leads
 * next looks for the job first.
 */
export interface Intent {
  readonly tick: number;
  readonly queue: string;
  /** The leadership under which the job is published. */
  readonly token: number;
}

/**
 * From which tick on the jobs of a leadership count: its own for an earlier tick came too late, and
 * so did one of an earlier leadership for such a tick.
 */
export interface Term {
  readonly token: number;
  readonly from: number;
}

/**
 * How far a schedule is. Written by the leader, and by clients who pause, resume and run it; always
 * by compare-and-set. `lastTick` only grows.
 */
export interface ScheduleState {
  /** Everything up to here is decided. Absent: nothing was. */
  readonly lastTick?: number;
  readonly intent?: Intent;
  /**
   * A tick that waits for the end of the previous job (`overlap: "queue"`). Decided already, so
   * never above `lastTick`.
   */
  readonly queued?: number;
  readonly pausedAt?: number;
  /** The latest job. */
  readonly job?: ScheduledJob;
  /** The latest leaderships, the newest last. */
  readonly terms: readonly Term[];
  /** The newest last. */
  readonly recent: readonly ScheduleDecision[];
  readonly fired: number;
  readonly skipped: number;
  readonly late: number;
  /**
   * The latest ticks that were left out although their intent was on record, the newest last: a job
   * of theirs comes from a leader that was frozen, and does not count.
   */
  readonly dropped?: readonly number[];
  /** Why the intent could not be carried out so far. */
  readonly trouble?: { readonly code: string; readonly message: string; readonly at: number };
}

export const NEW_STATE: ScheduleState = Object.freeze({
  terms: [],
  recent: [],
  fired: 0,
  skipped: 0,
  late: 0,
});

/** How many leaderships, ticks that were left out, and decisions are kept. */
const KEPT_TERMS = 16;
const KEPT_DROPPED = 16;
export const KEPT_DECISIONS = 20;

/** A document of the bucket. What can't be used is as good as absent. */
export function readScheduleState(value: unknown): ScheduleState {
  if (typeof value !== "object" || value === null) return NEW_STATE;
  const { terms, recent, dropped, ...rest } = value as Partial<ScheduleState>;
  return {
    ...NEW_STATE,
    ...rest,
    terms: Array.isArray(terms) ? terms : [],
    recent: Array.isArray(recent) ? recent : [],
    ...(Array.isArray(dropped) ? { dropped } : {}),
  };
}

/** The greatest leadership that has written: a smaller one is over. */
export function leadershipOf({ terms, intent }: ScheduleState): number {
  return Math.max(terms.at(-1)?.token ?? 0, intent?.token ?? 0);
}

/** Before the job of a tick is published. */
export function withIntent(state: ScheduleState, intent: Intent): ScheduleState {
  return { ...state, intent, terms: withTerm(state.terms, intent) };
}

function withTerm(
  terms: readonly Term[],
  { token, tick }: Pick<Intent, "token" | "tick">,
): readonly Term[] {
  if (terms.at(-1)?.token === token) return terms;
  return [...terms, { token, from: tick }].slice(-KEPT_TERMS);
}

/**
 * After the job of the intent is known to be there.
 *
 * @param about.by the leadership whose publication it is, which is the one that counts; undefined
 *   where the job has ended, or runs: whoever's it was, no other of this tick may run then
 * @param about.token the leadership that found it there
 */
export function withFired(
  state: ScheduleState,
  job: ScheduledJob,
  about: {
    readonly at: number;
    readonly late: boolean;
    readonly by: number | undefined;
    readonly token: number;
  },
): ScheduleState {
  const { intent: _done, trouble: _cured, queued, ...rest } = state;
  const { by, token } = about;
  const { tick } = job;
  return {
    ...rest,
    ...(queued === undefined || queued === job.tick ? {} : { queued }),
    lastTick: Math.max(state.lastTick ?? 0, job.tick),
    job,
    // Each later leadership that took the tick over, and enqueued nothing, begins after it. Where
    // the job has run, whoever found that begins with it: no earlier one's comes before that.
    terms:
      by === undefined
        ? withTerm(state.terms, { token, tick })
        : state.terms.map((term) =>
            term.token > by && term.from === tick ? { ...term, from: tick + 1 } : term,
          ),
    fired: state.fired + 1,
    late: state.late + (about.late ? 1 : 0),
    recent: remember(state, {
      ...{ what: "fired", at: about.at, tick, id: job.id },
      ...(about.late ? { lateMs: about.at - tick } : {}),
    }),
  };
}

export function withSkipped(state: ScheduleState, skip: LeftOut, at: number): ScheduleState {
  return {
    ...state,
    lastTick: Math.max(state.lastTick ?? 0, skip.upTo),
    skipped: state.skipped + skip.count,
    recent: remember(state, {
      what: "skipped",
      at,
      tick: skip.upTo,
      reason: skip.reason,
      count: skip.count,
    }),
  };
}

/**
 * The job of the intent is not there, and is not to be any more. One that waited for the previous
 * job's end was decided before: it waits on.
 *
 * @param left that tick, and perhaps others after it
 */
export function withDropped(state: ScheduleState, left: LeftOut, at: number): ScheduleState {
  const { intent, trouble: _over, ...rest } = state;
  if (intent === undefined || intent.tick === state.queued) return rest;
  const dropped = [...(state.dropped ?? []), intent.tick].slice(-KEPT_DROPPED);
  return { ...withSkipped(rest, left, at), dropped };
}

/** The tick is decided: its job is enqueued when the previous one has ended. */
export function withQueued(state: ScheduleState, tick: number): ScheduleState {
  return { ...state, lastTick: Math.max(state.lastTick ?? 0, tick), queued: tick };
}

export function withRun(state: ScheduleState, id: string, at: number): ScheduleState {
  return { ...state, recent: remember(state, { what: "run", at, id }) };
}

export function withTrouble(
  state: ScheduleState,
  trouble: NonNullable<ScheduleState["trouble"]>,
): ScheduleState {
  return { ...state, trouble };
}

export function paused(state: ScheduleState, at: number): ScheduleState {
  return state.pausedAt === undefined ? { ...state, pausedAt: at } : state;
}

/** What was due during the pause is not made up for. */
export function resumed(state: ScheduleState, at: number): ScheduleState {
  if (state.pausedAt === undefined) return state;
  const { pausedAt: _over, ...rest } = state;
  return { ...rest, lastTick: Math.max(state.lastTick ?? 0, at) };
}

function remember(state: ScheduleState, decision: ScheduleDecision): readonly ScheduleDecision[] {
  return [...state.recent, decision].slice(-KEPT_DECISIONS);
}
