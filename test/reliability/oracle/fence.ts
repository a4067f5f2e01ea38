import type { LedgerEntry } from "./ledger-entry.ts";

export type Effect = Extract<LedgerEntry, { event: "effect" }>;

export interface Fenced {
  readonly accepted: readonly Effect[];
  /** Made with a smaller token than one that was seen before for the same job. */
  readonly refused: readonly Effect[];
}

/**
 * Reads effects as something that is written to under a fencing token would: it remembers the largest token of each job,
 * from the start of a run on, and refuses a smaller one.
 */
export function fence(entries: readonly LedgerEntry[]): Fenced {
  const largest = new Map<string, number>();
  const accepted: Effect[] = [];
  const refused: Effect[] = [];
  for (const entry of entries) {
    if (entry.event !== "started" && entry.event !== "effect") continue;
    const seen = largest.get(entry.id) ?? -1;
    if (entry.event === "effect") (entry.token < seen ? refused : accepted).push(entry);
    if (entry.token > seen) largest.set(entry.id, entry.token);
  }
  return { accepted, refused };
}
