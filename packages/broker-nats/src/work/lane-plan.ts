import { type Pull, pullFor } from "../pull/pull-size.ts";

/**
 * What is known of a lane.
 *
 * `cold`: nothing waits in it. `warm`: nothing waits, but a job came a moment ago and more may
 * follow. `backlog`: jobs wait. `unknown`: it was not asked for a while.
 */
export type LaneState = "cold" | "warm" | "backlog" | "unknown";

/** Jobs may wait in it, so it takes part in the sharing of slots. */
export function contends(state: LaneState): boolean {
  return state === "backlog" || state === "unknown";
}

/** What a lane's next pull depends on. */
export interface LaneView {
  readonly state: LaneState;
  /** Asked for and not here yet. */
  readonly outstanding: number;
  /**
   * Slots that were dealt to it and not asked for yet; for a lane that does not contend, its turn
   * to ask for one.
   */
  readonly dealt: number;
  /** Slots that nothing occupies and no delivery in the buffer waits for. */
  readonly free: number;
  /** Other lanes that contend. */
  readonly rivals: number;
  /** Whether another lane has asked for more than one. */
  readonly otherAskedForMore: boolean;
}

/**
 * A pull for a whole node's slots ends soon where nothing comes, so that no lane sits on the slots
 * for long.
 */
export const WARM_MS = 250;

const STANDING: Pull = { batch: 1 };

/**
 * What to ask of a lane.
 *
 * An idle lane is asked for one job, so that a new job is one hop away. Such a pull takes no slot:
 * a job may come when none is free, and goes into the buffer. The only busy lane is asked for as
 * many jobs as there are slots. Lanes that contend are asked for what was dealt to them, by pulls
 * that don't wait: a lane that turns out to be empty gives its slots back within a round trip.
 */
export function planPull(view: LaneView): Pull | undefined {
  const { state, outstanding, dealt, free, rivals, otherAskedForMore } = view;
  if (free < 1) return undefined;
  if (state === "unknown" || (state === "backlog" && rivals > 0))
    return dealt > 0 && outstanding === 0 ? { batch: dealt, noWait: true } : undefined;
  const alone = rivals === 0 && !otherAskedForMore;
  if (state === "cold" || (state === "warm" && !alone))
    return outstanding === 0 && (rivals === 0 || dealt > 0) ? STANDING : undefined;
  const pull = pullFor(free, outstanding);
  return pull === undefined ? undefined : { ...pull, expiresMs: WARM_MS };
}
