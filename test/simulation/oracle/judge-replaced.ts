import { CLAIM_LEASE_MS } from "@millrace/core";
import type { Evidence, JobSeen, RunSeen } from "./evidence.ts";
import type { Violation } from "./violation.ts";

const REPLACED_BY = /^Replaced by (\S+), which was enqueued later/;
export const HELD_BY = /^Its unique key (?:is|was) held by ([^ .]+)/;

/**
 * Who was replaced never begins, from when anybody was told so: whatever becomes of the one that
 * took its place, a dead letter that never began included.
 */
export function* judgeReplaced(evidence: Evidence): Generator<Violation> {
  for (const told of evidence.replaced) {
    const { job, by, atMs } = told;
    const seen = evidence.jobs.get(`${evidence.queueOf.get(job)}/${job}`);
    const late = seen?.runs.find(
      (run) => run.began.atMs > atMs && !wasRetried(seen, run, told, evidence),
    );
    if (seen === undefined || late === undefined) continue;
    if (cameLater(seen, late.began.atMs, told, evidence)) continue;
    yield {
      is: "replaced-ran",
      job: seen.key,
      detail: `it began at ${late.began.atMs}, and ${by} was confirmed in its place at ${atMs}`,
    };
  }
}

/** It was dead, and an operator has given it another life since. */
function wasRetried(
  { finals, queue }: JobSeen,
  { began }: RunSeen,
  told: Evidence["replaced"][number],
  { asked }: Evidence,
): boolean {
  const { life, atMs: beganMs } = began;
  return (
    finals.some((end) => end.state === "dead" && (end.life ?? 0) === life - 1) &&
    asked.some(
      ({ what, of, atMs }) =>
        what === "retry" && of === queue && atMs > told.atMs && atMs <= beganMs,
    )
  );
}

/**
 * Whether it came later than the one that had replaced it. Its producer got an error and enqueued
 * it once more, or could not publish for longer than a claim is respected; or it has replaced that
 * one in turn.
 */
function cameLater(
  { job, sentAgainMs, plannedMs = 0 }: JobSeen,
  beganMs: number,
  told: Evidence["replaced"][number],
  { replaced, storedMs }: Evidence,
): boolean {
  const isBetween = (atMs: number): boolean => atMs > told.atMs && atMs < beganMs;
  const stored = storedMs.get(job);
  return (
    sentAgainMs.some(isBetween) ||
    replaced.some((one) => one.job === told.by && one.by === job && isBetween(one.atMs)) ||
    (stored !== undefined && isBetween(stored) && stored - plannedMs > CLAIM_LEASE_MS)
  );
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
