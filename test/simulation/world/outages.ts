import { between, type Dice } from "../engine/dice.ts";
import type { Plan, Setting } from "./workload.ts";

/**
 * Outages that outlast what a queue remembers of ids (two minutes): what is sent again after one is
 * known by nothing but a look. Each time is thrown by a name of its own, so all else of the world
 * stays as it is without them.
 */
const LEAST_MS = 122_000;
export const LONGEST_OUTAGE_MS = 300_000;
/** Of the faults that last: crashes, kills, cuts and elections. */
const LONG = 0.3;
/** A job that waits for so long need not wait for longer. */
const MOST_LONGER_MS = 60_000;
/** Plans come for so long: before, in and after an outage. */
const SPREAD_MS = 300_000;

/** How long a fault lasts, if it is one of the long ones. */
export function outageMs(dice: Dice, point: string): number | undefined {
  if (dice(`outage ${point}`) >= LONG) return undefined;
  return between(dice, `outage of ${point}`, LEAST_MS, LONGEST_OUTAGE_MS);
}

/** The same setting with time for outages. */
export function withOutages(setting: Setting, dice: Dice): Setting {
  return {
    ...setting,
    faultsUntilMs: setting.faultsUntilMs + SPREAD_MS,
    plans: setting.plans.map((plan) => later(plan, dice)),
    orders: setting.orders.map((order) =>
      order.kind === "schedule"
        ? {
            ...order,
            untilMs: order.untilMs + SPREAD_MS + LONGEST_OUTAGE_MS,
            // What came due in an outage is made up for: for one slot it is not to be too much.
            everySeconds: Math.max(order.everySeconds, 20),
          }
        : order,
    ),
  };
}

function later(plan: Plan, dice: Dice): Plan {
  const byMs =
    dice(`${plan.name} later`) < 0.5 ? between(dice, `${plan.name} by`, 0, SPREAD_MS) : 0;
  const { brokenUntilMs } = plan.script;
  return {
    ...plan,
    atMs: plan.atMs + byMs,
    // Some come due in or after an outage.
    delayMs:
      plan.delayMs *
      (plan.delayMs < MOST_LONGER_MS && dice(`${plan.name} long delay`) < 0.5 ? 10 : 1),
    script: {
      ...plan.script,
      ...(brokenUntilMs === undefined ? {} : { brokenUntilMs: brokenUntilMs + byMs }),
    },
  };
}
