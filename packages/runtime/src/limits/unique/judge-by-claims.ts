import {
  asItStands,
  type Standing,
  type StoredClaim,
  successorsOf,
  type UniqueClaims,
  type UniqueKey,
} from "@millrace/core";
import type { Meeting } from "./job-meeting.ts";
import {
  displaces,
  gaveWay,
  gavingWayTo,
  givesWay,
  isContested,
  judgeClaim,
  judgeMeeting,
  judgeStanding,
  type Judged,
  unnamed,
  type Verdict,
} from "./judge-meeting.ts";

/** Jobs that this node has had in its hands. */
export interface Witness {
  /** One of them that came later than this job, of those that want its key. */
  readonly overtakenBy: (key: UniqueKey, met: Meeting, stored: StoredClaim) => string | undefined;
}

const NOBODY: Witness = { overtakenBy: () => undefined };

/**
 * One read where the key is the job's own or nobody's; more only against another job's claim.
 *
 * A job never gives way to one that does not exist. Where jobs displace each other, the holder
 * changes faster than a queue is read through, so the queue isn't read: one of them that this node
 * has met is proof enough, and without it the job is deferred for a moment.
 */
export async function judgeByClaims(
  claims: UniqueClaims,
  key: UniqueKey,
  met: Meeting,
  witness: Witness = NOBODY,
): Promise<Judged> {
  const verdict = judgeMeeting(await claims.read(key), met);
  if (verdict.do !== "ask") return verdict;
  const { stored } = verdict;
  const contested = isContested(stored);
  const by =
    contested && !displaces(met, stored) ? witness.overtakenBy(key, met, stored) : undefined;
  if (by !== undefined) return givesWay(stored, met, by);
  const young = contested ? "undecided" : "look";
  const standing = await claims.standing(key, stored, { young });
  if (!isInDoubt(stored, standing, met)) return judgeStanding(stored, standing, met);
  const came = await firstThere(claims, key, met, { stored, standing });
  if (came !== undefined) {
    const known = gavingWayTo(stored, met, came);
    return standing.kind === "held"
      ? givesWay(gavingWayTo(standing.by, met, came), met)
      : judgeStanding(known, standing, met);
  }
  // Those before it are ended once it has the key: only then does the claim say that it keeps it.
  const without = unnamed(stored, met);
  const alone = judgeClaim(without, met);
  // Said first: who comes late reads there whether it has replaced the job.
  if (alone.do === "pass")
    return { do: "go-through", claim: asItStands(without), expected: without.revision };
  if (alone.do !== "ask") return alone;
  return standing.kind === "held"
    ? judgeStanding(without, { ...standing, by: unnamed(standing.by, met) }, met)
    : judgeStanding(without, { kind: "free" }, met);
}

/** Whether the job may have been to give way to one that never came. */
function isInDoubt(stored: StoredClaim, standing: Standing, met: Meeting): boolean {
  const gave = gaveWay(stored, met);
  if (gave === undefined || gave.seen) return false;
  return standing.kind === "free" || (standing.kind === "held" && gave.by !== standing.by.claim.id);
}

/**
 * The first that was there of those to which the job gave way: the one that the claim names, or one
 * before it. A window that is over doesn't tell whether its job was ever there.
 */
async function firstThere(
  claims: UniqueClaims,
  key: UniqueKey,
  met: Meeting,
  { stored, standing }: { readonly stored: StoredClaim; readonly standing: Standing },
): Promise<string | undefined> {
  const never = standing.kind === "free" && standing.since === undefined ? stored.claim.id : "";
  for (const id of successorsOf(stored.claim, met.id))
    if (id !== never && (await claims.wasThere(key, id, met.enqueuedAt))) return id;
  return undefined;
}

/**
 * The same for less: what a peek has shown decides where the claim is the job's own, as nearly
 * always, or where a write at its revision follows, which proves it. Everything else is for the
 * claim itself to say.
 */
export async function judgePeeked(
  claims: UniqueClaims,
  key: UniqueKey,
  peeked: StoredClaim | undefined,
  met: Meeting,
  witness: Witness = NOBODY,
): Promise<Judged> {
  const verdict = judgeMeeting(peeked, met);
  const holdsIt = peeked?.claim.id === met.id && peeked.claim.state !== "freed";
  return isGood(verdict, holdsIt) ? verdict : judgeByClaims(claims, key, met, witness);
}

function isGood(verdict: Verdict, holdsIt: boolean): verdict is Judged {
  return verdict.do === "take" || verdict.do === "wait" || (verdict.do === "pass" && holdsIt);
}

/**
 * Whether a job that is judged to be a duplicate is older than the holder, and did not give way to
 * it: perhaps another message of it has had the key, and has freed it at its start.
 */
export function mayRunElsewhere(stored: StoredClaim, met: Meeting): boolean {
  return (
    met.while === "pending" &&
    met.earlier === "none" &&
    met.enqueuedAt <= stored.since &&
    gaveWay(stored, met) === undefined &&
    !isContested(stored)
  );
}
