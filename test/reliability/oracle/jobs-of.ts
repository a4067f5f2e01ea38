import type { HistoryRecord } from "@millrace/core";
import type { DeadJob, History } from "./history.ts";
import type { Ending, LedgerEntry, Run } from "./ledger-entry.ts";

/** One run of a handler, put together from its entries. */
export interface ObservedRun extends Run {
  readonly process: string;
  readonly startedMs: number;
  /** Absent where the process died, or the handler never came back. */
  readonly ending?: Ending;
}

export interface Job {
  readonly id: string;
  readonly attempted: boolean;
  readonly confirmed: boolean;
  /** In the order of their starts. */
  readonly runs: readonly ObservedRun[];
  readonly dead: readonly DeadJob[];
  /** Oldest first, without those that were written twice. */
  readonly records: readonly HistoryRecord[];
}

/** Everything that is known of each job, one entry a job. */
export function jobsOf({ entries, dead, records }: History): readonly Job[] {
  const byId = Map.groupBy(entries, (entry) => entry.id);
  const deadById = Map.groupBy(dead, (letter) => letter.id);
  const recordsById = Map.groupBy(records, (record) => record.id);
  const ids = new Set([...byId.keys(), ...deadById.keys(), ...recordsById.keys()]);
  return [...ids].map((id) => {
    const own = byId.get(id) ?? [];
    return {
      id,
      attempted: own.some(({ event }) => event === "attempted"),
      confirmed: own.some(({ event }) => event === "confirmed"),
      runs: runsOf(own),
      dead: deadById.get(id) ?? [],
      records: recordsById.get(id) ?? [],
    };
  });
}

function runsOf(entries: readonly LedgerEntry[]): readonly ObservedRun[] {
  const ends = entries.filter((entry) => entry.event === "ended");
  const taken = new Set<LedgerEntry>();
  return entries
    .filter((entry) => entry.event === "started")
    .map(({ id, attempt, token, process, atMs }) => {
      const end = ends.find(
        (entry) => !taken.has(entry) && entry.process === process && entry.token === token,
      );
      if (end !== undefined) taken.add(end);
      return {
        id,
        attempt,
        token,
        process,
        startedMs: atMs,
        ...(end === undefined ? {} : { ending: end.ending }),
      };
    });
}
