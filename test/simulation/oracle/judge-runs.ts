import type { Evidence, JobSeen, RunSeen } from "./evidence.ts";
import { isForeign } from "./judge-ends.ts";
import { WORLD_BEGAN } from "../engine/process.ts";
import { tickOf } from "./judge-schedules.ts";
import { idOf } from "./turns.ts";
import { isWord } from "./judge-outcomes.ts";
import type { Violation } from "./violation.ts";

/**
 * A job takes its token as it comes to a node, and may wait there for something else: so many slots
 * a world has at the most.
 */
const LATE_STARTS = 24;

/** What lay in a socket is begun so soon after the thaw, its look-ups included. */
const IN_SOCKET_MS = 5_000;

/** How many of a key may run at once, by the name of the job. */
export type Limits = Readonly<Record<string, number>>;

/** What ran beside what, and what ran that should not have. */
export function* judgeRuns(evidence: Evidence, limits: Limits): Generator<Violation> {
  yield* judgeKeys(evidence, limits);
  yield* judgeQueues(evidence);
  for (const seen of evidence.jobs.values()) {
    yield* judgeTokens(seen, evidence);
    yield* judgePlace(seen);
  }
}

function* judgeKeys(evidence: Evidence, limits: Limits): Generator<Violation> {
  const byKey = new Map<string, RunSeen[]>();
  for (const seen of evidence.jobs.values())
    for (const run of seen.runs) {
      const { key } = run.began;
      if (key === undefined) continue;
      const held = key.startsWith("unique ") ? asHolder(run, seen, evidence) : run;
      byKey.set(key, [...(byKey.get(key) ?? []), held]);
    }
  for (const [key, runs] of byKey) {
    const limit = limits[key.split(" ")[0] ?? ""];
    if (limit === undefined) continue;
    const over = mostAtOnce(key, runs);
    if (over.length > limit)
      yield {
        is: "overlap",
        job: key,
        detail: `${over.length} at once of ${limit}: ${over.map(({ began }) => `${began.job} token ${began.token} on ${began.process}`).join(", ")}`,
      };
  }
}

/**
 * A job holds its unique key until its end is on record. A second run of it, which is there because
 * a killed server handed the job out twice, knows nothing of that end and may go on.
 */
function asHolder(run: RunSeen, { job, queue, finals }: JobSeen, { forgotten }: Evidence): RunSeen {
  const { atMs } = run.began;
  const isSecond = forgotten.some(
    (one) => one.job === idOf(job) && one.queue === queue && one.atMs < atMs,
  );
  const [end] = finals.map(({ at }) => at - WORLD_BEGAN);
  if (!isSecond || end === undefined) return run;
  return { ...run, endedMs: Math.min(run.endedMs ?? Infinity, Math.max(end, atMs)) };
}

/** Of a unique key another run of the same job is no other job. */
function mostAtOnce(key: string, runs: readonly RunSeen[]): readonly RunSeen[] {
  const isOfJobs = key.startsWith("unique ");
  let most: readonly RunSeen[] = [];
  for (const { began } of runs) {
    const at = runs.filter(
      (other) => other.began.atMs <= began.atMs && untilMs(other) > began.atMs,
    );
    const counted = isOfJobs ? [...new Map(at.map((run) => [run.of, run])).values()] : at;
    if (counted.length > most.length) most = counted;
  }
  return most;
}

/** What an operator allowed a queue before any node was there. */
function* judgeQueues({ jobs, limited }: Evidence): Generator<Violation> {
  for (const { queue, concurrency, rate } of limited) {
    const runs = [...jobs.values()].flatMap((seen) => (seen.queue === queue ? seen.runs : []));
    const over = mostAtOnce(queue, runs);
    if (concurrency !== undefined && over.length > concurrency)
      yield {
        is: "overlap",
        job: queue,
        detail: `${over.length} of the queue at once of ${concurrency}: ${over.map(({ began }) => `${began.job} on ${began.process}`).join(", ")}`,
      };
    if (rate !== undefined) yield* judgeRate(queue, rate, runs);
  }
}

/**
 * No stretch of time sees more starts than a burst and what the stretch brings, and those that
 * waited in slots for something else.
 */
function* judgeRate(
  queue: string,
  { limit, perMs }: { readonly limit: number; readonly perMs: number },
  runs: readonly RunSeen[],
): Generator<Violation> {
  const starts = runs.map(({ began }) => began.atMs).toSorted((a, b) => a - b);
  for (const [from, first] of starts.entries())
    for (const [to, last] of starts.entries()) {
      const most = limit + (limit * (last - first)) / perMs + LATE_STARTS;
      if (to < from || to - from + 1 <= most) continue;
      yield {
        is: "too-fast",
        job: queue,
        detail: `${to - from + 1} starts from ${first} to ${last}, at ${limit} in ${perMs} ms`,
      };
      return;
    }
}

/** Told to stop, killed or standing still, it holds nothing any more by its own doing. */
export function untilMs({ endedMs, abortedMs, goneMs }: RunSeen): number {
  return Math.min(endedMs ?? Infinity, abortedMs ?? Infinity, goneMs ?? Infinity);
}

/**
 * Two runs that a fence can't tell apart. An id that is used again begins with small ones.
 *
 * A node that was frozen while the server was killed may find in its socket what came before that,
 * in the very moment in which another is given the same anew (docs/reliability.md).
 */
function* judgeTokens(
  { key: job, runs }: JobSeen,
  { freezes, crashes }: Evidence,
): Generator<Violation> {
  const layInSocket = ({ process, atMs }: RunSeen["began"]): boolean =>
    freezes.some(
      (freeze) =>
        freeze.process === process &&
        freeze.untilMs <= atMs &&
        atMs - freeze.untilMs < IN_SOCKET_MS &&
        crashes.some((crashMs) => crashMs > freeze.sinceMs && crashMs < freeze.untilMs),
    );
  const seen = new Map<string, number>();
  for (const { began } of runs) {
    if (layInSocket(began)) continue;
    const { token, run, createdAt } = began;
    const ofEnqueue = `${createdAt} ${token}`;
    const before = seen.get(ofEnqueue);
    if (before !== undefined)
      yield {
        is: "token-reused",
        job,
        detail: `runs ${before} and ${run} have the token ${token}`,
      };
    seen.set(ofEnqueue, run);
  }
}

/** What was planned, what follows from it, and nothing else. */
function* judgePlace(seen: JobSeen): Generator<Violation> {
  const { key: job, queue, runs, planned } = seen;
  if (runs.length === 0 || planned !== undefined || isForeign(seen)) return;
  const follows = /^j\d+(-child|:\d+|:callback)$/.test(idOf(seen.job));
  if (follows || isWord(seen.job) || tickOf(seen.job) !== undefined) return;
  yield {
    is: queue === "shop" ? "phantom" : "trespass",
    job,
    detail: "it ran, and nobody who may had enqueued it",
  };
}
