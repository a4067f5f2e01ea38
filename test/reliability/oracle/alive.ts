import type { LedgerEntry, Run } from "./ledger-entry.ts";

/** When a process died that could not write it down itself. */
export interface Death {
  readonly process: string;
  readonly atMs: number;
}

/** A handler from its call to its end, or to its process's. */
export interface Life {
  readonly id: string;
  readonly token: number;
  readonly process: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

/**
 * Every run that the ledger knows. One without an end goes on for ever, unless its process died.
 */
export function livesOf(
  entries: readonly LedgerEntry[],
  deaths: readonly Death[],
): readonly Life[] {
  const ends = new Map<string, number>();
  for (const entry of entries) if (entry.event === "ended") ends.set(runOf(entry), entry.atMs);
  const lives: Life[] = [];
  for (const entry of entries) {
    if (entry.event !== "started") continue;
    const { id, token, process, atMs: fromMs } = entry;
    const death = deaths.find((dead) => dead.process === process);
    const endMs = ends.get(runOf(entry)) ?? Infinity;
    lives.push({ id, token, process, fromMs, untilMs: Math.min(endMs, death?.atMs ?? Infinity) });
  }
  return lives;
}

function runOf({ process, id, token }: Omit<Run, "attempt"> & Omit<Death, "atMs">): string {
  return `${process} ${id} ${token}`;
}

/** How many were alive at each moment at which one began, in the order of time. */
export function aliveOverTime(
  lives: readonly Life[],
): readonly { readonly atMs: number; readonly alive: number }[] {
  const ends = lives.map(({ untilMs }) => untilMs).toSorted((a, b) => a - b);
  const begins = lives.map(({ fromMs }) => fromMs).toSorted((a, b) => a - b);
  let ended = 0;
  return begins.map((atMs, index) => {
    while (ended < ends.length && (ends[ended] as number) <= atMs) ended += 1;
    return { atMs, alive: index + 1 - ended };
  });
}

/** When nobody ran, between the first and the last run. */
export function idleStretches(
  lives: readonly Life[],
): readonly { readonly fromMs: number; readonly untilMs: number }[] {
  const stretches: { readonly fromMs: number; readonly untilMs: number }[] = [];
  let aliveUntilMs = Infinity;
  for (const { fromMs, untilMs } of lives.toSorted((a, b) => a.fromMs - b.fromMs)) {
    if (fromMs > aliveUntilMs) stretches.push({ fromMs: aliveUntilMs, untilMs: fromMs });
    aliveUntilMs = aliveUntilMs === Infinity ? untilMs : Math.max(aliveUntilMs, untilMs);
  }
  return stretches;
}
