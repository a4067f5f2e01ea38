import type { StoredClaim, UniqueClaims, UniqueKey } from "@millrace/core";
import type { Meeting } from "./job-meeting.ts";
import { judgeMeeting, judgeStanding, type Judged, type Verdict } from "./judge-meeting.ts";

/** One read where the key is the job's own or nobody's; more only against another job's claim. */
export async function judgeByClaims(
  claims: UniqueClaims,
  key: UniqueKey,
  met: Meeting,
): Promise<Judged> {
  const verdict = judgeMeeting(await claims.read(key), met);
  if (verdict.do !== "ask") return verdict;
  const standing = await claims.standing(key, verdict.stored, { verifyYoung: true });
  return judgeStanding(verdict.stored, standing, met);
}

/**
 * The same for less: what a peek has shown decides where the claim is the job's own, as nearly always, or where a write at its revision follows, which
 * proves it. Everything else is for the claim itself to say.
 */
export async function judgePeeked(
  claims: UniqueClaims,
  key: UniqueKey,
  peeked: StoredClaim | undefined,
  met: Meeting,
): Promise<Judged> {
  const verdict = judgeMeeting(peeked, met);
  const holdsIt = peeked?.claim.id === met.id && peeked.claim.state !== "freed";
  return isGood(verdict, holdsIt) ? verdict : judgeByClaims(claims, key, met);
}

function isGood(verdict: Verdict, holdsIt: boolean): verdict is Judged {
  return verdict.do === "take" || verdict.do === "wait" || (verdict.do === "pass" && holdsIt);
}
