import type { Evidence, JobSeen } from "./evidence.ts";
import type { Violation } from "./violation.ts";

const REPLACED_BY = /^Replaced by (\S+), which was enqueued later/;
export const HELD_BY = /^Its unique key (?:is|was) held by ([^ .]+)/;

/**
 * Who was replaced never begins, from when anybody was told so: whatever becomes of the one that
 * took its place, a dead letter that never began included. But for one whose producer got no answer
 * and enqueued it again: it has come later then, and is told that it has replaced the other.
 */
export function* judgeReplaced({ replaced, jobs, queueOf }: Evidence): Generator<Violation> {
  for (const { job, by, atMs } of replaced) {
    const seen = jobs.get(`${queueOf.get(job)}/${job}`);
    const late = seen?.runs.find(({ began }) => began.atMs > atMs);
    const isBack = replaced.some((one) => one.job === by && one.by === job && one.atMs > atMs);
    if (seen === undefined || late === undefined || isBack) continue;
    yield {
      is: "replaced-ran",
      job: seen.key,
      detail: `it began at ${late.began.atMs}, and ${by} was confirmed in its place at ${atMs}`,
    };
  }
}

/**
 * Whether a job was cancelled in favour of one that was there and came later. A claim knows a job
 * that was soon to start for as long as nobody else claims the key; then it gives way to that one.
 */
export function hasGivenWay(
  { queue, planned, plannedMs = 0 }: JobSeen,
  reason = "",
  { jobs }: Evidence,
): boolean {
  const replaced = REPLACED_BY.exec(reason);
  const [, id] = replaced ?? (planned === "job latest" ? HELD_BY.exec(reason) : null) ?? [];
  const by = id === undefined ? undefined : jobs.get(`${queue}/${id}`);
  if (by === undefined || (replaced === null && (by.plannedMs ?? 0) < plannedMs)) return false;
  return by.confirmed || by.runs.length > 0 || by.finals.length > 0;
}
