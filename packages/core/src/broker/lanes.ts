import { inspect } from "node:util";
import type { Lane } from "../envelope/envelope.ts";
import { MillraceError } from "../errors/millrace-error.ts";

/** A lane by name. On an envelope and on the wire the normal one has none. */
export type LaneName = Lane | "normal";

/** From the most urgent to the least. */
export const LANE_NAMES: readonly LaneName[] = ["high", "normal", "low"];

/**
 * The durable consumers of each queue's stream, one a lane. All nodes share them, so a job has one
 * holder.
 */
export const LANE_CONSUMERS: Readonly<Record<LaneName, string>> = Object.freeze({
  high: "workers-high",
  normal: "workers",
  low: "workers-low",
});

/**
 * How a worker's freed slots are shared between lanes in which jobs wait. 6 : 3 : 1 means that of
 * ten freed slots six go to the high lane, three to the normal one and one to the low one. A lane
 * in which nothing waits leaves its share to the others, and none is ever shut out.
 */
export type LaneWeights = Readonly<Record<LaneName, number>>;

export const DEFAULT_LANE_WEIGHTS: LaneWeights = Object.freeze({ high: 6, normal: 3, low: 1 });

const MOST = 1_000;

/**
 * The weights with their defaults, checked.
 *
 * @param field what the weights are called where they were given, for the error
 * @throws MillraceError `invalid-option` where one is not a whole number from 1 to 1,000: a lane of
 *   weight 0 would starve
 */
export function laneWeights(given: Partial<LaneWeights> = {}, field = "weights"): LaneWeights {
  const weights: Record<LaneName, number> = { ...DEFAULT_LANE_WEIGHTS };
  for (const [lane, weight] of Object.entries(given) as [LaneName, unknown][]) {
    if (!LANE_NAMES.includes(lane))
      throw wrong(`${field}.${lane}`, weight, "left out: the lanes are high, normal and low");
    if (weight === undefined) continue;
    if (!Number.isSafeInteger(weight) || (weight as number) < 1 || (weight as number) > MOST)
      throw wrong(`${field}.${lane}`, weight, `a whole number from 1 to ${MOST}`);
    weights[lane] = weight as number;
  }
  return Object.freeze(weights);
}

function wrong(field: string, value: unknown, expected: string): MillraceError {
  return new MillraceError(
    "invalid-option",
    `${field} must be ${expected}; got ${inspect(value)}.`,
  );
}
