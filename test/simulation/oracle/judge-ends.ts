import {
  endsOf,
  type Evidence,
  type FinalRecord,
  type JobSeen,
  type LifeSeen,
  livesOf,
} from "./evidence.ts";
import { WORLD_BEGAN } from "../engine/process.ts";
import type { Violation } from "./violation.ts";

/** A job that may go with its queue: it has one end, if it has any. */
export const REMOVED = "job renewed, and removed with its queue";

/** One end for each life of a job, told to everybody, and the attempts that led there. */
export function* judgeEnds(evidence: Evidence, patienceMs: number): Generator<Violation> {
  for (const seen of evidence.jobs.values()) {
    if (isForeign(seen)) continue;
    yield* judgePoison(seen, evidence, patienceMs);
    yield* judgeEnd(seen);
    yield* judgeAttempts(seen);
    yield* judgeTold(seen);
  }
}

export function isForeign({ planned, queue }: JobSeen): boolean {
  return planned?.startsWith("hostile") === true || (planned === undefined && queue === "shop");
}

/** The note of a turn may be on its way as its process dies. */
const UNDER_WAY_MS = 500;

/**
 * Who is said to take its process down was on one that died, or about to be started there. A
 * process that is silent for so long that its heartbeats are missed, and for a lease more, can't be
 * told from one that died (docs/reliability.md).
 *
 * @param patienceMs so long
 */
function* judgePoison(
  { key: job, finals, runs, quarantines }: JobSeen,
  { deaths, silences }: Evidence,
  patienceMs: number,
): Generator<Violation> {
  const burial = finals.find(({ reason }) => reason === "crashed");
  if (burial === undefined) return;
  const atMs = burial.at - WORLD_BEGAN;
  const diedFrom = (process: string, sinceMs: number): boolean => {
    const death = deaths.get(process);
    return death !== undefined && death >= sinceMs && Math.floor(death) <= atMs;
  };
  const died =
    runs.some(({ began }) => diedFrom(began.process, began.atMs)) ||
    quarantines.some((one) => diedFrom(one.process, one.atMs - UNDER_WAY_MS));
  if (died) return;
  const last = quarantines.findLast((one) => one.atMs <= atMs);
  const wasSilent = silences.some(
    ({ process, sinceMs, untilMs }) =>
      process === last?.process && sinceMs <= atMs - patienceMs && untilMs >= atMs,
  );
  if (!wasSilent)
    yield { is: "not-poison", job, detail: `${runs.length} runs, and no process died` };
}

function* judgeEnd(seen: JobSeen): Generator<Violation> {
  for (const life of livesOf(seen)) yield* judgeLife(life, seen.key, seen.planned === REMOVED);
}

function* judgeLife(life: LifeSeen, key: string, mayGo: boolean): Generator<Violation> {
  const { finals, letters, confirmed, wentOn, runs } = life;
  const job = life.life === 0 ? key : `${key} life ${life.life}`;
  const states = new Set([
    ...finals.map(({ state }) => state),
    ...letters.map((reason) => (reason === "expired" ? "expired" : "dead")),
  ]);
  if (states.size > 1)
    yield { is: "two-ends", job, detail: [...states].join(" and ") + reasonsOf(life) };
  if (letters.length > 1) yield { is: "two-letters", job, detail: letters.join(" and ") };
  if (finals.length > 1 && states.size === 1)
    yield {
      is: "ended-again",
      job,
      detail: `${finals.length} times ${finals[0]?.state} (${finals.map(placeOf).join(", ")})`,
    };
  if (finals.length > 0 || wentOn || mayGo) return;
  if (confirmed)
    yield { is: "lost", job, detail: `confirmed, and never ended; ${runs.length} runs` };
  else if (runs.length > 0) yield { is: "unsettled", job, detail: "it ran, and never ended" };
}

function reasonsOf({ finals, letters }: LifeSeen): string {
  return ` (records ${finals.map(placeOf).join(", ")}; letters ${letters.join(", ") || "none"})`;
}

function placeOf({ state, reason, sequence, generation, attempts }: FinalRecord): string {
  return `${state}${reason === undefined ? "" : ` ${reason}`} seq ${sequence} gen ${generation} att ${attempts}`;
}

/** An attempt begins when the one before it has failed; what the record says is what ran. */
function* judgeAttempts(seen: JobSeen): Generator<Violation> {
  for (const life of livesOf(seen)) yield* judgeAttemptsOf(life, seen.key);
}

function* judgeAttemptsOf({ runs, finals }: LifeSeen, job: string): Generator<Violation> {
  const failed = new Set(
    runs.filter(({ how }) => how === "failed").map(({ began }) => began.attempt),
  );
  for (const { began } of runs)
    if (began.attempt > 1 && !failed.has(began.attempt - 1))
      yield {
        is: "attempt-spent",
        job,
        detail: `attempt ${began.attempt} began, and none before it had failed`,
      };
  const [first] = finals;
  if (first?.state !== "succeeded") return;
  const ended = runs.filter(({ how }) => how === "succeeded");
  if (ended.length > 0 && !ended.some(({ began }) => began.attempt === first.attempts))
    yield {
      is: "attempts-miscounted",
      job,
      detail: `recorded ${first.attempts}, ran ${ended.map(({ began }) => began.attempt).join(", ")}`,
    };
}

/** Whoever asked was told the first recorded end, of this life of the job or another. */
function* judgeTold(seen: JobSeen): Generator<Violation> {
  const ends = endsOf(seen);
  const [first] = ends;
  for (const { state, output } of seen.told) {
    const isSo =
      state === "succeeded"
        ? ends.some(
            (end) =>
              end.state === "succeeded" && JSON.stringify(end.output) === JSON.stringify(output),
          )
        : ends.length === 0 || ends.some((end) => end.state !== "succeeded");
    if (!isSo)
      yield {
        is: "told-otherwise",
        job: seen.key,
        detail: `told ${state} ${JSON.stringify(output)}, first recorded ${first?.state} ${JSON.stringify(first?.output)}`,
      };
  }
}
