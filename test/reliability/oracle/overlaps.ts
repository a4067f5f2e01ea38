import { type Death, type Life, livesOf } from "./alive.ts";
import type { LedgerEntry } from "./ledger-entry.ts";

/** A process was stopped, and could neither be told anything nor look. */
export interface Standstill {
  readonly process: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** What a process that goes on needs to find out that its lease is gone. */
const LOOK_MS = 1_000;

/**
 * Where two of the given runs were alive at once, which may only run one at a time. It is no fault
 * where the earlier one had been told to stop before the later one began, or stood still then. A
 * process that died runs nothing.
 *
 * @param entries the ledger, with the entries of those runs only
 */
export function overlaps(
  entries: readonly LedgerEntry[],
  deaths: readonly Death[],
  standstills: readonly Standstill[],
): readonly string[] {
  const told = new Map<string, number>();
  for (const entry of entries)
    if (entry.event === "aborted")
      told.set(keyOf(entry), Math.min(entry.atMs, told.get(keyOf(entry)) ?? Infinity));
  const lives = livesOf(entries, deaths).toSorted((a, b) => a.fromMs - b.fromMs);
  const found: string[] = [];
  for (const [index, later] of lives.entries())
    for (const earlier of lives.slice(0, index)) {
      if (earlier.untilMs <= later.fromMs) continue;
      const toldMs = told.get(keyOf(earlier)) ?? Infinity;
      if (toldMs <= later.fromMs || stoodStill(earlier, later.fromMs, toldMs, standstills))
        continue;
      found.push(
        `${later.id} began on ${later.process} with token ${later.token}, ${Math.round(later.fromMs - earlier.fromMs)} ms after ${earlier.id} on ${earlier.process} with ${earlier.token}, which went on`,
      );
    }
  return found;
}

function stoodStill(
  { process }: Life,
  atMs: number,
  toldMs: number,
  standstills: readonly Standstill[],
): boolean {
  return standstills.some(
    (still) =>
      still.process === process &&
      still.fromMs <= atMs &&
      atMs <= (toldMs <= still.untilMs + LOOK_MS ? Math.max(toldMs, still.untilMs) : still.untilMs),
  );
}

function keyOf({ process, id, token }: Pick<Life, "process" | "id" | "token">): string {
  return `${process} ${id} ${token}`;
}
