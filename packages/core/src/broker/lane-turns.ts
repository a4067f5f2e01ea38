import { LANE_NAMES, type LaneName, type LaneWeights } from "./lanes.ts";

/**
 * Whose turn it is, by smooth weighted round robin: each lane that could be served gains its
 * weight, the richest is served and pays what all gained. Over any stretch in which the same lanes
 * compete, each is served by its weight, as evenly spread as can be; and none waits longer than the
 * sum of the weights.
 *
 * @example
 * const turns = new LaneTurns({ high: 6, normal: 3, low: 1 });
 * turns.next(["high", "low"]); // "high", six times of seven
 */
export class LaneTurns {
  readonly #weights: LaneWeights;
  readonly #credit: Record<LaneName, number> = { high: 0, normal: 0, low: 0 };

  constructor(weights: LaneWeights) {
    this.#weights = weights;
  }

  /**
   * The lane that is served next of those that could be; undefined where none could. Two that are
   * equally due go by urgency.
   */
  next(lanes: readonly LaneName[]): LaneName | undefined {
    let chosen: LaneName | undefined;
    let gained = 0;
    for (const lane of LANE_NAMES) {
      if (!lanes.includes(lane)) continue;
      gained += this.#weights[lane];
      this.#credit[lane] += this.#weights[lane];
      if (chosen === undefined || this.#credit[lane] > this.#credit[chosen]) chosen = lane;
    }
    if (chosen !== undefined) this.#credit[chosen] -= gained;
    return chosen;
  }
}
