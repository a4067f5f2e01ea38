import type { LedgerEntry } from "../reliability/oracle/ledger-entry.ts";

/**
 * When a process stopped acting, by the ledger's clock: what it ran then ended then, unless it says
 * itself when.
 */
export interface Stopped {
  readonly process: string;
  readonly atMs: number;
}

/** A time in which a handler was at work. */
export interface Span {
  readonly process: string;
  readonly id: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** What was at work when. A handler that wrote no end ended with its process, or goes on. */
export function spans(entries: readonly LedgerEntry[], stopped: readonly Stopped[]): Span[] {
  const open = new Map<string, LedgerEntry & { event: "started" }>();
  const found: Span[] = [];
  const close = (key: string, toMs: number): void => {
    const start = open.get(key);
    open.delete(key);
    if (start === undefined) return;
    const { process, id, atMs } = start;
    // Frozen first: what it wrote after it was thawed is of no account.
    const stop = stopped.find((each) => each.process === process && each.atMs > atMs);
    found.push({ process, id, fromMs: atMs, toMs: Math.min(toMs, stop?.atMs ?? Infinity) });
  };
  for (const entry of entries) {
    if (entry.event === "started") open.set(keyOf(entry), entry);
    if (entry.event === "ended") close(keyOf(entry), entry.atMs);
  }
  for (const key of [...open.keys()]) close(key, Infinity);
  return found;
}

/** The most that were at work at one moment of the time given. */
export function mostAlive(all: readonly Span[], fromMs = 0, toMs = Infinity): number {
  const edges = all
    .filter((span) => span.toMs > fromMs && span.fromMs < toMs)
    .flatMap(({ fromMs: from, toMs: to }) => [
      { atMs: Math.max(from, fromMs), by: 1 },
      { atMs: to, by: -1 },
    ])
    // An end and a start in the same moment are not two at once.
    .sort((a, b) => a.atMs - b.atMs || a.by - b.by);
  let alive = 0;
  let most = 0;
  for (const { atMs, by } of edges) {
    if (atMs > toMs) break;
    alive += by;
    most = Math.max(most, alive);
  }
  return most;
}

function keyOf({ process, id, token }: { process: string; id: string; token: number }): string {
  return `${process} ${id} ${token}`;
}
