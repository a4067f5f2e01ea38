import { fence } from "./fence.ts";
import type { Consequence, Fault, History } from "./history.ts";
import { type Job, jobsOf, type ObservedRun } from "./jobs-of.ts";

export type ViolationKind =
  /** Confirmed, and neither done nor a dead letter. */
  | "lost"
  /** Confirmed, and the product's own history has no end of it. */
  | "unsettled"
  /** Run, and nobody ever published it. */
  | "phantom"
  /** One attempt ran more than once, and no fault explains it. */
  | "unexplained-repeat"
  /** An attempt began although the one before it did not fail: something else spent it. */
  | "attempt-spent"
  /** More attempts than the job has. */
  | "too-many-attempts"
  /** The history counts other attempts than ran. */
  | "attempts-miscounted"
  /** A run went on after the next had begun, and no fault explains it. */
  | "unexplained-stale-effect"
  /** Two runs of a job with one token: a fence could not tell them apart. */
  | "token-reused"
  /** Done and dead at once. */
  | "done-and-dead";

export interface Violation {
  readonly kind: ViolationKind;
  readonly id: string;
  readonly detail: string;
}

export interface Verdict {
  readonly violations: readonly Violation[];
  readonly counts: {
    readonly attempted: number;
    readonly confirmed: number;
    readonly runs: number;
    readonly succeeded: number;
    readonly dead: number;
    /** Runs that a fault made necessary. */
    readonly repeats: number;
    readonly effects: number;
    readonly refusedEffects: number;
  };
}

export interface Rules {
  /** Attempts that every job of the run has. */
  readonly maxAttempts: number;
}

/** What a run of processes and faults proves, or how it fails to. Pure. */
export function judge(history: History, rules: Rules): Verdict {
  const jobs = jobsOf(history);
  const { accepted, refused } = fence(history.entries);
  const violations: Violation[] = [];
  let repeats = 0;
  for (const job of jobs) {
    violations.push(...judgeEnd(job, history.faults));
    const judged = judgeRuns(job, history.faults, rules);
    violations.push(...judged.violations);
    repeats += judged.repeats;
  }
  for (const { effect, overtaker } of refused) {
    const { id, token, atMs } = effect;
    const began =
      jobs.find((job) => job.id === id)?.runs.find((run) => run.token === token)?.startedMs ?? atMs;
    // Which of the two began first says nothing of which is to be refused: what made them two lies
    // after the first beginning.
    if (explained("stale-effect", history.faults, Math.min(began, overtaker.atMs), atMs)) continue;
    const order = overtaker.atMs < began ? "begun after it" : "went on after it had begun";
    violations.push({
      kind: "unexplained-stale-effect",
      id,
      detail: `its run with token ${token} ${order}: ${overtaker.token} (${Math.round(Math.abs(began - overtaker.atMs))} ms between)`,
    });
  }
  return {
    violations,
    counts: {
      attempted: jobs.filter((job) => job.attempted).length,
      confirmed: jobs.filter((job) => job.confirmed).length,
      runs: jobs.reduce((sum, job) => sum + job.runs.length, 0),
      succeeded: jobs.filter(isDone).length,
      dead: jobs.filter((job) => job.dead.length > 0).length,
      repeats,
      effects: accepted.length,
      refusedEffects: refused.length,
    },
  };
}

function* judgeEnd(job: Job, faults: readonly Fault[]): Generator<Violation> {
  const { id } = job;
  const dead = job.dead.length > 0;
  if (!job.attempted && job.runs.length > 0)
    yield { kind: "phantom", id, detail: "it ran and nobody published it" };
  if (!job.confirmed) return;
  const finals = job.records.filter((record) => record.state !== "requeued");
  const cancelled = finals.some((record) => record.state === "cancelled");
  if (!isDone(job) && !dead && !cancelled)
    yield {
      kind: "lost",
      id,
      detail: `it was confirmed; ${job.runs.length} runs, none of which succeeded`,
    };
  else if (finals.length === 0)
    yield { kind: "unsettled", id, detail: "its history has no final state" };
  // A run that succeeded and could not say so is followed by others, which may take their holders
  // down.
  if (isDone(job) && dead && !repeated(job, faults) && !copied(job, faults))
    yield { kind: "done-and-dead", id, detail: `dead with reason ${job.dead[0]?.reason}` };
}

function judgeRuns(
  job: Job,
  faults: readonly Fault[],
  rules: Rules,
): { readonly violations: Violation[]; readonly repeats: number } {
  const { id } = job;
  const violations: Violation[] = [];
  let repeats = 0;
  for (const [attempt, runs] of Map.groupBy(job.runs, (run) => run.attempt)) {
    if (attempt > rules.maxAttempts)
      violations.push({ kind: "too-many-attempts", id, detail: `attempt ${attempt} ran` });
    const before = job.runs.filter((run) => run.attempt === attempt - 1);
    if (attempt > 1 && !before.some((run) => run.ending === "failed"))
      violations.push({
        kind: "attempt-spent",
        id,
        detail: `attempt ${attempt} ran and attempt ${attempt - 1} never failed`,
      });
    for (const [earlier, later] of pairs(runs)) {
      // What was handed back by a node that stops has spent nothing and is to run again.
      if (earlier.ending === "aborted") continue;
      repeats += 1;
      if (
        !explained("repeated-attempt", faults, earlier.startedMs, later.startedMs) &&
        !copied(job, faults)
      )
        violations.push({
          kind: "unexplained-repeat",
          id,
          detail: `attempt ${attempt} ran with token ${earlier.token} (${earlier.ending ?? "no end"}) and again with ${later.token}`,
        });
    }
  }
  for (const [token, runs] of Map.groupBy(job.runs, (run) => run.token)) {
    if (runs.length === 1 || copied(job, faults)) continue;
    violations.push({
      kind: "token-reused",
      id,
      detail: `${runs.length} runs with token ${token}`,
    });
  }
  violations.push(...judgeCount(job, faults));
  return { violations, repeats };
}

/** The history's last word on attempts, against the handlers' own. */
function* judgeCount(job: Job, faults: readonly Fault[]): Generator<Violation> {
  const last = job.records.findLast((record) => record.state !== "requeued");
  if (last === undefined || copied(job, faults)) return;
  // Crashes leave the count where it was, however far a holder got before it died.
  if (last.reason === "crashed" && repeated(job, faults)) return;
  const counted = job.runs.filter((run) => run.ending === "succeeded" || run.ending === "failed");
  const ran = Math.max(0, ...counted.map((run) => run.attempt));
  // A last attempt that took its process down was never an attempt: its number was not given away.
  if (last.attempts !== ran)
    yield {
      kind: "attempts-miscounted",
      id: job.id,
      detail: `the history says ${last.attempts}, ${ran} ran to an end`,
    };
}

function isDone(job: Job): boolean {
  return job.runs.some((run) => run.ending === "succeeded");
}

/** Whether a fault that makes attempts be made again lay over its runs. */
function repeated(job: Job, faults: readonly Fault[]): boolean {
  return overRuns("repeated-attempt", job, faults);
}

/** Whether a fault put the job into the queue a second time between its runs. */
function copied(job: Job, faults: readonly Fault[]): boolean {
  return overRuns("copied-job", job, faults);
}

function overRuns(consequence: Consequence, job: Job, faults: readonly Fault[]): boolean {
  const first = job.runs[0]?.startedMs;
  const last = job.runs.at(-1)?.startedMs;
  return first !== undefined && last !== undefined && explained(consequence, faults, first, last);
}

function explained(
  consequence: Consequence,
  faults: readonly Fault[],
  fromMs: number,
  untilMs: number,
): boolean {
  return faults.some(
    (fault) =>
      fault.explains.includes(consequence) && fault.fromMs <= untilMs && fault.untilMs >= fromMs,
  );
}

function pairs(runs: readonly ObservedRun[]): [ObservedRun, ObservedRun][] {
  return runs.slice(1).map((run, index) => [runs[index] as ObservedRun, run]);
}
