import { CLAIM_LEASE_MS } from "@millrace/core";
import { fencingToken } from "../../../packages/runtime/src/execution/attempt/fencing-token.ts";
import { WORLD_BEGAN } from "../engine/process.ts";
import { type Evidence, type JobSeen, livesOf } from "./evidence.ts";
import { NEWEST_MS } from "../world/jobs.ts";
import { isForeign } from "./judge-ends.ts";
import { hasGivenWay, HELD_BY } from "./judge-replaced.ts";
import { untilMs } from "./judge-runs.ts";
import { idOf } from "./turns.ts";
import type { Violation } from "./violation.ts";

const PURGED = "purged";
const PARKED_FULL = "parked-full";
/** Takes hardly any jobs, and parks no more than it takes. */
const NARROW = "narrow";

/** What an operator or a client asked for happens to those it was asked for, and to nobody else. */
export function* judgeOrders(evidence: Evidence): Generator<Violation> {
  const { jobs, asked, limited } = evidence;
  const wasAsked = (what: string, of: string): boolean =>
    asked.some((one) => one.what === what && one.of === of);
  for (const seen of jobs.values()) {
    if (isForeign(seen)) continue;
    const { key: job, queue } = seen;
    for (const { life, runs } of livesOf(seen))
      if (life > 0 && runs.length > 0 && !wasAsked("retry", queue))
        yield { is: "unasked", job, detail: `it ran in its life ${life}` };
    const hasQuota =
      queue === NARROW ||
      limited.some((limit) => limit.queue === queue && limit.maxParked !== undefined);
    for (const { state, reason } of seen.finals) {
      if (reason === PARKED_FULL && !hasQuota)
        yield { is: "unasked", job, detail: "it found no room to wait, and there is no quota" };
      if (state !== "cancelled") continue;
      if (hasComeTooLate(seen, reason) || hasGivenWay(seen, reason, evidence)) continue;
      const isPurged = reason === PURGED;
      if (!(isPurged ? wasAsked("purge", queue) : wasAsked("cancel", idOf(seen.job))))
        yield { is: "unasked", job, detail: `it was cancelled: ${reason}` };
    }
    yield* judgePurged(seen, evidence);
  }
}

/**
 * A producer that could not publish for so long after it had claimed a unique key no longer has it:
 * another may have come, and then its own job gives way as soon as a node meets it. Of a key with a
 * window half of that is enough (docs/unique.md).
 */
function hasComeTooLate(
  { planned, plannedMs = 0, confirmedMs = Infinity }: JobSeen,
  reason: string | undefined,
): boolean {
  const mostMs =
    planned === "job newest" ? Math.min(CLAIM_LEASE_MS, NEWEST_MS / 2) : CLAIM_LEASE_MS;
  return HELD_BY.test(reason ?? "") && confirmedMs - plannedMs > mostMs;
}

/** Tokens grow by generations first. */
function generationIn(token: number): number {
  return Math.floor(token / fencingToken({ generation: 1, deliveryCount: 0, ageMs: 0 }));
}

/** Of what a killed server had done. */
const MOST_FORGOTTEN_MS = 2_000;
/** A process that was frozen begins what it had been given as soon as it thaws. */
const THAW_MS = 100;

/**
 * What runs is never purged, but where a server that was killed has forgotten that it had handed
 * the job out: then it gives it to the purge too, and nobody can tell. A process that was frozen
 * may have been given the job before, and begin it afterwards.
 */
function* judgePurged(
  { key: job, job: name, queue, finals, runs }: JobSeen,
  { crashes, freezes, forgotten }: Pick<Evidence, "crashes" | "freezes" | "forgotten">,
): Generator<Violation> {
  for (const { reason, at, generation } of finals) {
    if (reason !== PURGED) continue;
    const atMs = at - WORLD_BEGAN;
    // A run of a message before has lost its lease, and another has gone on from there.
    const running = runs.find(
      (run) =>
        run.began.atMs < atMs && untilMs(run) > atMs && generationIn(run.began.token) >= generation,
    );
    if (running === undefined) continue;
    const { atMs: begunMs, process } = running.began;
    const frozen = freezes.find(
      (one) => one.process === process && one.untilMs <= begunMs && begunMs - one.untilMs < THAW_MS,
    );
    const fromMs = frozen?.sinceMs ?? begunMs;
    const isForgotten = crashes.some(
      (crashMs) => crashMs >= fromMs && crashMs - begunMs <= MOST_FORGOTTEN_MS && crashMs < atMs,
    );
    // Between its being handed out and its begin the node asks whether the job is over.
    const before = Math.max(0, ...runs.map((run) => run.began.atMs).filter((ms) => ms < begunMs));
    const isHandedOutAgain = forgotten.some(
      (one) =>
        one.job === idOf(name) && one.queue === queue && one.atMs > before && one.atMs < atMs,
    );
    if (isForgotten || isHandedOutAgain) continue;
    yield {
      is: "purged-running",
      job,
      detail: `purged at ${atMs}, when it ran on ${process} as run ${running.began.run}`,
    };
  }
}
