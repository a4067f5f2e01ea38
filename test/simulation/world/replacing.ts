import { between, type Dice, oneOf } from "../engine/dice.ts";
import { REPLACING } from "./jobs.ts";
import type { Plan } from "./workload.ts";

/** Of all worlds: so many have jobs that replace each other, most of them for a far later time. */
const WORLDS = 0.08;
/** From here on, so that they share no dice with others. */
const FIRST = 100;
const SPREAD_MS = 30_000;
/** A freed key is forgotten at the first sweep after ten minutes, so within fifteen. */
const FAR_MS = 16 * 60_000;
const FURTHEST_MS = 18 * 60_000;

/** A job enqueued for later waits while its key is freed, taken by others, and forgotten. */
export function replacingPlans(dice: Dice): readonly Plan[] {
  if (dice("replacing") >= WORLDS) return [];
  const count = between(dice, "replacing jobs", 4, 12);
  return Array.from({ length: count }, (_, index) => planOf(dice, `j${FIRST + index}`));
}

function planOf(dice: Dice, name: string): Plan {
  const of = (what: string): string => `${name} ${what}`;
  const job = oneOf(dice, of("job"), REPLACING);
  const delay = oneOf(dice, of("delay"), ["none", "none", "near", "far"]);
  return {
    ...{ name, kind: "job", parts: [], awaited: false, cancelAfterMs: undefined },
    job,
    atMs: Math.floor(dice(of("at")) * SPREAD_MS),
    delayMs:
      delay === "none"
        ? 0
        : delay === "near"
          ? between(dice, of("near"), 500, 20_000)
          : between(dice, of("far"), FAR_MS, FURTHEST_MS),
    lane: oneOf(dice, of("lane"), ["normal", "normal", "high", "low"]),
    script: {
      runMs: between(dice, of("run"), 1, 50),
      fails: dice(of("flaky")) < 0.2 ? 1 : 0,
      ...{ snoozes: 0, deaf: false, charges: false },
      // Two rules for one key are another matter.
      key: `${job} ${oneOf(dice, of("key"), ["a", "a", "b"])}`,
    },
  };
}
