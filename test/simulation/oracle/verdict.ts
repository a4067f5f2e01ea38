import type { Entry } from "../world/ledger.ts";
import { evidenceOf } from "./evidence.ts";
import { judgeEnds } from "./judge-ends.ts";
import { judgeFlows } from "./judge-flows.ts";
import { judgeOutcomes } from "./judge-outcomes.ts";
import { judgeOrders } from "./judge-orders.ts";
import { judgeReplaced } from "./judge-replaced.ts";
import { judgeRuns, type Limits } from "./judge-runs.ts";
import { judgeSignals } from "./judge-signals.ts";
import { judgeSteps } from "./judge-steps.ts";
import { judgeSchedules, type Timed } from "./judge-schedules.ts";
import type { Violation } from "./violation.ts";

export interface Case {
  readonly entries: readonly Entry[];
  readonly leftovers: readonly { readonly what: string; readonly detail: string }[];
  readonly running: readonly string[];
  readonly limits: Limits;
  /** The schedules of the world, by name. */
  readonly schedules?: Readonly<Record<string, Timed>>;
  /**
   * A process of which the server hears nothing for so long is taken for dead. Default: none is.
   */
  readonly patienceMs?: number;
  /** Names of the jobs whose ends are told to others. Default: none. */
  readonly telling?: ReadonlySet<string>;
}

/**
 * What is wrong with a world. Pure, and without excuses: it knows of no fault. What a fault may
 * cause is that an attempt is repeated, and nothing else.
 */
export function verdict({
  entries,
  leftovers,
  running,
  limits,
  schedules = {},
  patienceMs = Infinity,
  telling,
}: Case): readonly Violation[] {
  const evidence = evidenceOf(entries);
  return [
    ...judgeEnds(evidence, patienceMs),
    ...judgeRuns(evidence, limits),
    ...judgeFlows(evidence),
    ...(telling === undefined ? [] : judgeOutcomes(evidence, telling)),
    ...judgeOrders(evidence),
    ...judgeReplaced(evidence),
    ...judgeSchedules(evidence, schedules),
    ...judgeSteps(evidence),
    ...judgeSignals(evidence),
    ...running.map((job) => ({ is: "stuck" as const, job, detail: "still in a slot" })),
    ...leftovers.map(({ what, detail }) => ({
      is: "stuck" as const,
      job: detail,
      detail: `${what} and left`,
    })),
  ];
}
