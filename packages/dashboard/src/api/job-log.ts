import { shownLine, type ShowValue } from "@millrace/telemetry/masking";
import type { Fleet, FleetLogEntry } from "../fleet/fleet.ts";
import type { JobLogView, LogRunView } from "./views/log-views.ts";

/** So many lines are shown, the newest; the command shows all. */
const MOST_LINES = 2_000;

/** What the handlers of a job logged, by run, of the latest enqueue of its id. */
export async function jobLog(
  { fleet, show }: { readonly fleet: Fleet; readonly show: ShowValue },
  queue: string,
  id: string,
): Promise<JobLogView> {
  const entries: FleetLogEntry[] = [];
  /** By run, how many of its lines are not shown. */
  const dropped = new Map<string, number>();
  for await (const entry of fleet.handle(id, queue).logs()) {
    // An id that is used again begins anew.
    if (entry.createdAt !== entries.at(-1)?.createdAt) {
      entries.length = 0;
      dropped.clear();
    }
    entries.push(entry);
    const first = entries.length > MOST_LINES ? entries.shift() : undefined;
    if (first !== undefined) dropped.set(runKey(first), (dropped.get(runKey(first)) ?? 0) + 1);
  }
  const earlier = [...dropped.values()].reduce((sum, lines) => sum + lines, 0);
  return { runs: runsOf(entries, dropped, show), earlier };
}

function runKey({ token, node }: FleetLogEntry): string {
  return `${token} ${node}`;
}

function runsOf(
  entries: readonly FleetLogEntry[],
  dropped: ReadonlyMap<string, number>,
  show: ShowValue,
): readonly LogRunView[] {
  const runs = new Map<string, FleetLogEntry[]>();
  for (const entry of entries) {
    const key = runKey(entry);
    const run = runs.get(key);
    if (run === undefined) runs.set(key, [entry]);
    else run.push(entry);
  }
  return [...runs.values()].flatMap((lines) => {
    const [first] = lines;
    if (first === undefined) return [];
    const { attempt, node, token } = first;
    return [
      {
        ...{ attempt, node, token, earlier: dropped.get(runKey(first)) ?? 0 },
        lines: lines.map((entry) => {
          const { at, level, message, fields } = shownLine(entry, show);
          return { at, level, message, ...(fields === undefined ? {} : { fields }) };
        }),
      },
    ];
  });
}
