import { HEARTBEAT_MS, LOST_AFTER_MS } from "../../packages/runtime/src/presence/node-report.ts";
import type { Violation, ViolationKind } from "./oracle/violation.ts";
import type { Timed } from "./oracle/judge-schedules.ts";
import { verdict } from "./oracle/verdict.ts";
import { fewest } from "./shrink.ts";
import { LIMITS, TELLING } from "./world/jobs.ts";
import type { Struck } from "./world/fault-plan.ts";
import type { Entry } from "./world/ledger.ts";
import type { Timetable } from "./world/orders.ts";
import { liveThrough, type World, type WorldOptions } from "./world/world.ts";

/** A seed's world, and what is wrong with it. */
export interface Judged {
  readonly world: World;
  readonly violations: readonly Violation[];
}

/** The least of a world that still breaks the same promise. */
export interface Story {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly faults: readonly Struck[];
  readonly plans: readonly string[];
  readonly runs: number;
  readonly entries: readonly Entry[];
}

export async function judge(options: WorldOptions): Promise<Judged> {
  const world = await liveThrough(options);
  const { ledger, leftovers, running, setting } = world;
  const schedules = Object.fromEntries(
    setting.orders.flatMap((order) => (order.kind === "schedule" ? [timedOf(order)] : [])),
  );
  return {
    world,
    violations: verdict({
      ...{ entries: ledger.entries, leftovers, running, schedules },
      limits: LIMITS,
      patienceMs: LOST_AFTER_MS - HEARTBEAT_MS + setting.leaseMs,
      ...(options.tells === true ? { telling: TELLING } : {}),
    }),
  };
}

function timedOf({ name, everySeconds, missed, overlap }: Timetable): [string, Timed] {
  const mayMiss = missed === "once" || overlap === "skip";
  return [name, { everyMs: everySeconds * 1_000, mayMiss }];
}

const MOST_RUNS = 300;

/**
 * Leaves out faults first, since most of a world's faults have nothing to do with what went wrong;
 * then jobs; then faults again.
 */
export async function shrink(
  seed: number,
  is: ViolationKind,
  rest: Pick<WorldOptions, "realm" | "kinds" | "outages"> = {},
): Promise<Story> {
  let runs = 0;
  const run = (faults: readonly string[], plans: readonly string[]): Promise<Judged> => {
    runs += 1;
    return judge({
      seed,
      faults: new Set(faults),
      plans: new Set(plans),
      ...rest,
    });
  };
  const breaks = async (faults: readonly string[], plans: readonly string[]): Promise<boolean> =>
    (await run(faults, plans)).violations.some((violation) => violation.is === is);
  const { world } = await judge({ seed, ...rest });
  let faults: readonly string[] = world.struck.map(({ name }) => name);
  let plans: readonly string[] = world.plans;
  faults = await fewest(faults, (some) => breaks(some, plans), MOST_RUNS);
  plans = await fewest(plans, (some) => breaks(faults, some), MOST_RUNS);
  faults = await fewest(faults, (some) => breaks(some, plans), MOST_RUNS);
  const last = await run(faults, plans);
  return {
    seed,
    violations: last.violations,
    faults: last.world.struck,
    plans,
    runs,
    entries: last.world.ledger.entries,
  };
}
