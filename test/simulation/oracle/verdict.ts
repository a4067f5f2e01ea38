import type { Entry } from "../world/ledger.ts";
import { evidenceOf } from "./evidence.ts";
import { judgeEnds } from "./judge-ends.ts";
import { judgeFlows } from "./judge-flows.ts";
import { judgeRuns, type Limits } from "./judge-runs.ts";
import type { Violation } from "./violation.ts";

export interface Case {
  readonly entries: readonly Entry[];
  readonly leftovers: readonly { readonly what: string; readonly detail: string }[];
  readonly running: readonly string[];
  readonly limits: Limits;
}

/**
 * What is wrong with a world. Pure, and without excuses: it knows of no fault. What a fault may cause is that an attempt is repeated, and
 * nothing else.
 */
export function verdict({ entries, leftovers, running, limits }: Case): readonly Violation[] {
  const evidence = evidenceOf(entries);
  return [
    ...judgeEnds(evidence),
    ...judgeRuns(evidence, limits),
    ...judgeFlows(evidence),
    ...running.map((job) => ({ is: "stuck" as const, job, detail: "still in a slot" })),
    ...leftovers.map(({ what, detail }) => ({
      is: "stuck" as const,
      job: detail,
      detail: `${what} and left`,
    })),
  ];
}
