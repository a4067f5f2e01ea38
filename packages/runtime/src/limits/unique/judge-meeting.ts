import {
  cleared,
  isEarlierLife,
  isThrough,
  mayBeReplaced,
  moved,
  type Standing,
  type StoredClaim,
  successor,
  type UniqueClaim,
  windowEnd,
} from "@millrace/core";
import type { Meeting } from "./job-meeting.ts";

/**
 * What is done about a job that was met and the claim on its key. `ask`: whether the other job's
 * claim still stands has to be found out first.
 */
export type Verdict = Judged | { readonly do: "ask"; readonly stored: StoredClaim };

export type Judged =
  /** It may run. `frees`: the claim that its end frees. */
  | { readonly do: "pass"; readonly frees: StoredClaim | undefined }
  /** It may run once this is written at that revision (0: where there is nothing). */
  | { readonly do: "take"; readonly claim: UniqueClaim; readonly expected: number }
  /**
   * It was let through, so it may run; this is to be written, as nobody need let it through any
   * more.
   */
  | { readonly do: "go-through"; readonly claim: UniqueClaim; readonly expected: number }
  /** As `take`, but it waits until then. */
  | {
      readonly do: "wait";
      readonly claim: UniqueClaim;
      readonly expected: number;
      readonly untilMs: number;
    }
  /** It is settled without a run. */
  | { readonly do: "cancel"; readonly reason: string; readonly stored: StoredClaim }
  /** It stays for another look, as it can't be known yet. */
  | { readonly do: "defer"; readonly untilMs: number; readonly stored: StoredClaim }
  /** Somebody else wrote meanwhile: read again. */
  | { readonly do: "again" };

/** Between two looks of a job that can't be decided yet. */
const ASIDE_MS = 250;
const ASIDE_MOST_MS = 2_000;

const PASS: Judged = { do: "pass", frees: undefined };

/**
 * What becomes of a job whose key stands like this. A key is held from the enqueue of its job until
 * it is freed: another job that was enqueued in between is a duplicate, whenever a node meets it.
 * Pure.
 */
export function judgeMeeting(stored: StoredClaim | undefined, met: Meeting): Verdict {
  if (stored === undefined) {
    return met.earlier !== "none" && met.while !== "running" ? PASS : take(fresh(met), 0, met);
  }
  if (stored.claim.id === met.id) return own(stored, met);
  if (isThrough(stored.claim, met.id) && met.while === "pending")
    return { do: "go-through", claim: unmarked(stored), expected: stored.revision };
  return stored.claim.state === "freed" ? afterFreed(stored, met) : againstHolder(stored, met);
}

/**
 * Only a job that can't have started before gives way; one that was promised a retry keeps its
 * promise.
 */
function againstHolder(stored: StoredClaim, met: Meeting): Verdict {
  const { claim, revision } = stored;
  const end = windowEnd(stored);
  if (end !== undefined && end <= met.enqueuedAt) return take(fresh(met), revision, met);
  return mayHaveStarted(stored, met) && (claim.while ?? met.while) !== "running"
    ? PASS
    : { do: "ask", stored };
}

/** A job that was replaced had not started. */
function mayHaveStarted({ claim }: StoredClaim, { id, earlier }: Meeting): boolean {
  return earlier === "run" || (earlier === "perhaps" && claim.replaced?.includes(id) !== true);
}

/** The answer to `ask`. */
export function judgeStanding(stored: StoredClaim, standing: Standing, met: Meeting): Judged {
  switch (standing.kind) {
    case "changed":
      return { do: "again" };
    case "undecided":
      return {
        do: "defer",
        untilMs: met.now + (isContested(stored) ? asideMs(met, standing) : standing.leftMs),
        stored,
      };
    case "free":
      return met.earlier !== "none" ||
        standing.since === undefined ||
        standing.since <= met.enqueuedAt
        ? take(fresh(met), stored.revision, met)
        : { do: "cancel", reason: wasHeld(stored, met), stored };
    case "held": {
      const { by } = standing;
      if (!displaces(met, by)) return givesWay(by, met);
      const debounces = typeof met.onConflict === "object";
      return take(successor(fresh(met), by, { debounces }), by.revision, met);
    }
  }
}

function own(stored: StoredClaim, met: Meeting): Judged {
  const { claim, revision } = stored;
  const during = claim.while ?? met.while;
  // By the records of a life that is over others would take the key.
  const isNew = isEarlierLife(claim.generation ?? 0, met.generation);
  const held: UniqueClaim = {
    ...{ ...claim, while: during, since: stored.since },
    ...(isNew ? { generation: met.generation } : {}),
  };
  if (claim.state === "freed") {
    // It has ended, and was brought back to life by something that knows of no claims.
    return during === "running" ? take(fresh(met), revision, met) : PASS;
  }
  if (during === "pending")
    return { do: "take", claim: moved(stored, "freed"), expected: revision };
  if (claim.replaceable === true && claim.state !== "started")
    return { do: "take", claim: { ...held, state: "started" }, expected: revision };
  if (claim.while === undefined || isNew) {
    const state = claim.state === "started" ? "started" : "seen";
    return { do: "take", claim: { ...held, state }, expected: revision };
  }
  return { do: "pass", frees: during === "running" ? stored : undefined };
}

function afterFreed(stored: StoredClaim, met: Meeting): Judged {
  const { revision, updatedAt } = stored;
  const mayRunAgain = mayHaveStarted(stored, met);
  if (mayRunAgain && met.while !== "running") return PASS;
  // Under a rule by which the latest wins, one that came after the job that has started is not
  // served by it.
  const isNewer = met.onConflict !== "keep" && isLater(met, stored);
  const isReplaced = stored.claim.replaced?.includes(met.id) === true;
  if (!mayRunAgain && (isReplaced || (met.enqueuedAt < updatedAt && !isNewer)))
    return { do: "cancel", reason: wasHeld(stored, met), stored };
  return take(fresh(met), revision, met);
}

/** Whether a job that came later takes the key of one that waits. */
export function displaces(met: Meeting, by: StoredClaim): boolean {
  if (by.claim.replaced?.includes(met.id) === true) return false;
  return met.onConflict !== "keep" && isLater(met, by) && mayBeReplaced(by);
}

/** It is settled in favour of the holder, or of another that came later than it. */
export function givesWay(by: StoredClaim, { id }: Meeting): Judged {
  const reason =
    by.claim.replaced?.includes(id) === true
      ? replacedBy(by)
      : `Its unique key is held by ${by.claim.id}.`;
  return { do: "cancel", reason, stored: by };
}

/** Whether jobs displace each other there, so that its holder may be another at every look. */
export function isContested({ claim: { replaced, state } }: StoredClaim): boolean {
  return replaced !== undefined && (state === "claimed" || state === "seen");
}

/**
 * Short for a job that has just come, so that it is settled soon; longer and longer for one that
 * has waited.
 */
function asideMs({ now, enqueuedAt }: Meeting, { leftMs }: { readonly leftMs: number }): number {
  return Math.min(leftMs, ASIDE_MOST_MS, Math.max(ASIDE_MS, Math.ceil((now - enqueuedAt) / 2)));
}

/** The claim as it stands, without its note of the job that was met. */
function unmarked({ claim, since }: StoredClaim): UniqueClaim {
  return { ...cleared(claim), since };
}

/** Whether a job was enqueued after the one that has the claim. Several fit into a millisecond. */
function isLater({ enqueuedAt, sequence }: Meeting, { since, claim }: StoredClaim): boolean {
  if (enqueuedAt !== since) return enqueuedAt > since;
  return sequence !== undefined && claim.sequence !== undefined && sequence > claim.sequence;
}

/** The claim of a job that came without one. */
function fresh(met: Meeting): UniqueClaim {
  const { id, generation, enqueuedAt, sequence, while: during, onConflict } = met;
  return {
    id,
    state: "seen",
    since: enqueuedAt,
    ...(sequence === undefined ? {} : { sequence }),
    while: during,
    ...(onConflict === "keep" ? {} : { replaceable: true }),
    ...(generation === 0 ? {} : { generation }),
  };
}

/** Takes the key for a job that came without it, and lets it run, or wait for its debounce. */
function take(claim: UniqueClaim, expected: number, met: Meeting): Judged {
  const { onConflict, earlier, enqueuedAt, now, while: during } = met;
  if (typeof onConflict === "object" && earlier === "none") {
    const untilMs = enqueuedAt + onConflict.debounceMs;
    if (untilMs > now) return { do: "wait", claim, expected, untilMs };
  }
  if (during === "pending") return { do: "take", claim: { ...claim, state: "freed" }, expected };
  if (claim.replaceable === true)
    return { do: "take", claim: { ...claim, state: "started" }, expected };
  return { do: "take", claim, expected };
}

function wasHeld(stored: StoredClaim, { id }: Meeting): string {
  return stored.claim.replaced?.includes(id) === true
    ? replacedBy(stored)
    : `Its unique key was held by ${stored.claim.id} when it was enqueued.`;
}

function replacedBy({ claim }: StoredClaim): string {
  return `Replaced by ${claim.id}, which was enqueued later with the same unique key.`;
}
