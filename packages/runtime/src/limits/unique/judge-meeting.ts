import {
  cleared,
  CLAIM_LEASE_MS,
  displacedBy,
  displacedIn,
  dueOf,
  inPlaceOf,
  isEarlierLife,
  isThrough,
  mayBeReplaced,
  moved,
  type Standing,
  type StoredClaim,
  successor,
  successorSeen,
  type UniqueClaim,
  windowEnd,
  withDisplaced,
} from "@millrace/core";
import type { Meeting } from "./job-meeting.ts";

/**
 * What is done about a job that was met and the claim on its key. `ask`: whether the other job's
 * claim still stands has to be found out first.
 */
export type Verdict = Judged | { readonly do: "ask"; readonly stored: StoredClaim };

/** A job that gave way, and what to. `seen`: that certainly exists. */
export interface GaveWay {
  readonly by: string;
  readonly seen: boolean;
}

export type Judged =
  /** It may run. `frees`: the claim that its end frees. */
  | { readonly do: "pass"; readonly frees: StoredClaim | undefined }
  /**
   * Its key was freed by a start of its own, of which it knows nothing. It may run where no other
   * message of it does.
   */
  | { readonly do: "pass-alone" }
  /** It may run once this is written at that revision (0: where there is nothing). */
  | { readonly do: "take"; readonly claim: UniqueClaim; readonly expected: number }
  /**
   * It may run beside the claim's holder, once this is written: it was let through, and nobody need
   * let it through any more; or it didn't give way after all, and the claim is not to say so.
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
  /** It is there: those that gave way to it have to be ended first, as nobody else would do it. */
  | { readonly do: "end-displaced"; readonly stored: StoredClaim }
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
  // One that gave way itself leaves that to whoever holds the key: each of many would look for all
  // before it.
  const gaveWayItself = displacedIn(stored.claim, met.id) !== undefined;
  const gaveWayToIt = gaveWayItself ? [] : displacedBy(stored.claim, met.id);
  const needsLook = gaveWayToIt.some(({ sought }) => sought === undefined);
  // One write less for a job that goes through: under load each is refused many times.
  if (needsLook || (gaveWayToIt.length > 0 && !goesThrough(stored, met)))
    return { do: "end-displaced", stored };
  return judgeClaim(stored, met);
}

/** A job that was let through, where another has the claim by now. */
function goesThrough({ claim }: StoredClaim, met: Meeting): boolean {
  return claim.id !== met.id && isThrough(claim, met.id) && met.while === "pending";
}

/** The same of a job that has nobody to end before it may run. */
export function judgeClaim(stored: StoredClaim, met: Meeting): Verdict {
  if (stored.claim.id === met.id) return own(stored, met);
  if (goesThrough(stored, met)) {
    const claim = cleared(successorSeen(stored, met.id, met.now));
    return { do: "go-through", claim, expected: stored.revision };
  }
  const gave = displacedIn(stored.claim, met.id);
  if (gave?.seen === true && met.earlier !== "run")
    return { do: "cancel", reason: replacedBy(gave.by), stored };
  return stored.claim.state === "freed" ? afterFreed(stored, met) : againstHolder(stored, met);
}

/**
 * Only a job that can't have started before gives way; one that was promised a retry keeps its
 * promise.
 */
function againstHolder(stored: StoredClaim, met: Meeting): Verdict {
  const { claim, revision } = stored;
  const end = windowEnd(stored);
  if (end !== undefined && end <= met.enqueuedAt)
    return take(freshAfter(stored, met), revision, met);
  if (wasOver(met, stored)) return PASS;
  return mayHaveStarted(stored, met) && (claim.while ?? met.while) !== "running"
    ? PASS
    : { do: "ask", stored };
}

/** A job that was replaced had not started. */
function mayHaveStarted(stored: StoredClaim, met: Meeting): boolean {
  const { earlier } = met;
  return earlier === "run" || (earlier === "perhaps" && gaveWay(stored, met) === undefined);
}

/**
 * The claim without what it says of a job that was to give way to one that never came. Those before
 * it gave way to it.
 */
export function unnamed(stored: StoredClaim, { id }: Meeting): StoredClaim {
  const { displaced = [], replaced, ...claim } = stored.claim;
  const names = replaced?.filter((one) => one !== id) ?? [];
  const place = displaced.findIndex((one) => one.id === id);
  const by = displaced[place]?.by;
  const others = displaced
    .map((one, at) =>
      at < place && one.by === by && one.seen === undefined ? { ...one, by: id } : one,
    )
    .filter((one) => one.id !== id);
  const without = names.length === 0 ? claim : { ...claim, replaced: names };
  return { ...stored, claim: withDisplaced(without, { displaced: others }) };
}

/** The claim as it would be had the job given way to that one, which certainly exists. */
export function gavingWayTo(stored: StoredClaim, { id }: Meeting, by: string): StoredClaim {
  const { displaced = [], ...claim } = stored.claim;
  const others = displaced.filter((one) => one.id !== id);
  const own = { id, by, due: displacedIn(stored.claim, id)?.due ?? stored.updatedAt };
  return { ...stored, claim: withDisplaced(claim, { displaced: [...others, own] }) };
}

/** What the claim says of a job that was replaced. */
export function gaveWay({ claim }: StoredClaim, { id }: Meeting): GaveWay | undefined {
  const displaced = displacedIn(claim, id);
  if (displaced !== undefined) return { by: displaced.by, seen: displaced.seen === true };
  if (claim.replaced?.includes(id) !== true) return undefined;
  return { by: claim.id, seen: claim.state !== "claimed" };
}

/** Whether it gave way to another than the one that has the claim. */
function gaveWayBefore(stored: StoredClaim, met: Meeting): boolean {
  const gave = gaveWay(stored, met);
  return gave !== undefined && gave.by !== stored.claim.id;
}

/** The answer to `ask`, of a job that did not give way to one that never came. */
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
      return mayHaveStarted(stored, met) ||
        (standing.since === undefined
          ? !gaveWayBefore(stored, met)
          : standing.since <= met.enqueuedAt)
        ? take(freshAfter(stored, met, standing), stored.revision, met)
        : { do: "cancel", reason: wasHeld(stored, met), stored };
    case "held": {
      const { by } = standing;
      if (!displaces(met, by)) return givesWay(by, met);
      const [debounces, { now }] = [typeof met.onConflict === "object", met];
      return take(successor(fresh(met), by, { debounces, now }), by.revision, met);
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
    if (during === "running") return take(freshAfter(stored, met), revision, met);
    return during === "pending" && met.earlier === "none" ? { do: "pass-alone" } : PASS;
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
  if ((mayRunAgain && met.while !== "running") || wasOver(met, stored)) return PASS;
  // Under a rule by which the latest wins, one that came after the job that has started is not
  // served by it.
  const isNewer = met.onConflict !== "keep" && isLater(met, stored);
  const gave = gaveWay(stored, met);
  if (!mayRunAgain && (gave !== undefined || (met.enqueuedAt < updatedAt && !isNewer))) {
    // The one that it names may never have come; this one has.
    const isServed = gave?.seen === false && stored.since >= met.enqueuedAt;
    const reason = isServed ? replacedBy(stored.claim.id) : wasHeld(stored, met);
    return { do: "cancel", reason, stored };
  }
  return take(freshAfter(stored, met), revision, met);
}

/**
 * Whether a job's own window was over before the claim was made: then neither is in the other's
 * way, however late it comes. Its message was stored after its key was claimed, so it may have had
 * the key for longer than it seems.
 */
function wasOver(met: Meeting, stored: StoredClaim): boolean {
  const window = [stored.claim.while, met.while].find((during) => typeof during === "object");
  if (window === undefined || gaveWay(stored, met) !== undefined) return false;
  const { windowMs } = window;
  return met.enqueuedAt + windowMs - Math.min(CLAIM_LEASE_MS, windowMs / 2) <= stored.since;
}

/** Whether a job that came later takes the key of one that waits. */
export function displaces(met: Meeting, by: StoredClaim): boolean {
  if (gaveWay(by, met) !== undefined) return false;
  return met.onConflict !== "keep" && isLater(met, by) && mayBeReplaced(by);
}

/**
 * It is settled in favour of the holder, or of another that came later than it.
 *
 * @param there which certainly came: the one that the claim names may never
 */
export function givesWay(by: StoredClaim, met: Meeting, there?: string): Judged {
  const gave = gaveWay(by, met);
  const reason =
    gave === undefined ? `Its unique key is held by ${by.claim.id}.` : replacedBy(there ?? gave.by);
  return { do: "cancel", reason, stored: by };
}

/** Whether jobs displace each other there, so that its holder may be another at every look. */
export function isContested({ claim: { replaced, through, state } }: StoredClaim): boolean {
  const isWaiting = state === "claimed" || state === "seen";
  return isWaiting && (replaced !== undefined || through !== undefined);
}

/**
 * Short for a job that has just come, so that it is settled soon; longer and longer for one that
 * has waited.
 */
function asideMs({ now, enqueuedAt }: Meeting, { leftMs }: { readonly leftMs: number }): number {
  return Math.min(leftMs, ASIDE_MOST_MS, Math.max(ASIDE_MS, Math.ceil((now - enqueuedAt) / 2)));
}

/** Whether a job was enqueued after the one that has the claim. Several fit into a millisecond. */
function isLater({ enqueuedAt, sequence }: Meeting, { since, claim }: StoredClaim): boolean {
  if (enqueuedAt !== since) return enqueuedAt > since;
  return sequence !== undefined && claim.sequence !== undefined && sequence > claim.sequence;
}

/**
 * The same in the place of another, which is freed or stands no longer. A job that was let through
 * is still to be met, or it would be taken for a duplicate.
 */
function freshAfter(
  stored: StoredClaim,
  met: Meeting,
  standing: { readonly since?: number } = {},
): UniqueClaim {
  const { through } = stored.claim;
  const isMet = through === undefined || isThrough(stored.claim, met.id);
  const next = isMet ? fresh(met) : { ...fresh(met), through };
  return inPlaceOf(next, stored, standing);
}

/** The claim of a job that came without one. */
function fresh(met: Meeting): UniqueClaim {
  const { id, generation, enqueuedAt, sequence, while: during, onConflict, notBefore, now } = met;
  return {
    id,
    state: "seen",
    since: enqueuedAt,
    ...(sequence === undefined ? {} : { sequence }),
    while: during,
    ...(onConflict === "keep" ? {} : { replaceable: true }),
    ...dueOf(notBefore, during, now),
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

function wasHeld(stored: StoredClaim, met: Meeting): string {
  const gave = gaveWay(stored, met);
  return gave === undefined
    ? `Its unique key was held by ${stored.claim.id} when it was enqueued.`
    : replacedBy(gave.by);
}

export function replacedBy(id: string): string {
  return `Replaced by ${id}, which was enqueued later with the same unique key.`;
}
