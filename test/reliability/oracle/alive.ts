import type { LedgerEntry } from "./ledger-entry.ts";

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

/** Every run that the ledger knows. One without an end goes on for ever, unless its process died. */
export function livesOf(
  entries: readonly LedgerEntry[],
  deaths: readonly Death[],
): readonly Life[] {
  const lives: Life[] = [];
  for (const entry of entries) {
    if (entry.event !== "started") continue;
    const { id, token, process, atMs: fromMs } = entry;
    const end = entries.find(
      (other) =>
        other.event === "ended" &&
        other.id === id &&
        other.token === token &&
        other.process === process,
    );
    const death = deaths.find((dead) => dead.process === process);
    lives.push({
      id,
      token,
      process,
      fromMs,
      untilMs: Math.min(end?.atMs ?? Infinity, death?.atMs ?? Infinity),
    });
  }
  return lives;
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
