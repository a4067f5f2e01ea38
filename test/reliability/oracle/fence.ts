import type { LedgerEntry, Run } from "./ledger-entry.ts";

export type Effect = Extract<LedgerEntry, { event: "effect" }>;

export interface Fenced {
  readonly accepted: readonly Effect[];
  /** Made with a smaller token than one that was seen before for the same job. */
  readonly refused: readonly Refusal[];
}

export interface Refusal {
  readonly effect: Effect;
  /**
   * The first entry with the largest token of that moment. It may be older than the refused run:
   * tokens do not grow where a server forgot.
   */
  readonly overtaker: LedgerEntry & Run;
}

/**
 * Reads effects as something that is written to under a fencing token would: it remembers the
 * largest token of each job, from the start of a run on, and refuses a smaller one.
 */
export function fence(entries: readonly LedgerEntry[]): Fenced {
  const largest = new Map<string, Refusal["overtaker"]>();
  const accepted: Effect[] = [];
  const refused: Refusal[] = [];
  for (const entry of entries) {
    if (entry.event !== "started" && entry.event !== "effect") continue;
    const seen = largest.get(entry.id);
    const isSmaller = seen !== undefined && entry.token < seen.token;
    if (entry.event === "effect")
      if (isSmaller) refused.push({ effect: entry, overtaker: seen });
      else accepted.push(entry);
    if (seen === undefined || entry.token > seen.token) largest.set(entry.id, entry);
  }
  return { accepted, refused };
}
