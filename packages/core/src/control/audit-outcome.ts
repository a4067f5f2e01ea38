/** How many things were changed, and how many could not be. */
export interface AuditCounts {
  readonly count: number;
  readonly failed: number;
}

/**
 * What became of a change that an operator asked for. `begun`: under way, or whoever did it was cut
 * off before it could say more. `stopped`: an operation that somebody stopped on its way, `by`
 * whom; the rest is as it was.
 */
export type AuditOutcome =
  | { readonly state: "begun" }
  | ({ readonly state: "done" } & AuditCounts)
  | ({ readonly state: "stopped"; readonly by: string } & AuditCounts)
  | { readonly state: "failed"; readonly code: string; readonly message: string };

/**
 * In a few words, as lists of changes show it.
 *
 * @example
 * auditOutcomeText({ state: "stopped", by: "ada", count: 40, failed: 2 });
 * // "40 done, 2 failed, stopped by ada"
 */
export function auditOutcomeText(outcome: AuditOutcome): string {
  switch (outcome.state) {
    case "begun":
      return "begun";
    case "failed":
      return `failed: ${outcome.code}`;
    case "done":
      return countedText(outcome);
    case "stopped":
      return `${countedText(outcome)}, stopped by ${outcome.by}`;
  }
}

function countedText({ count, failed }: AuditCounts): string {
  return failed === 0 ? `${count} done` : `${count} done, ${failed} failed`;
}
