import type { UniqueClaims, UniqueKey } from "@millrace/core";
import type { Meeting } from "./job-meeting.ts";
import { judgeMeeting, judgeStanding, type Judged } from "./judge-meeting.ts";

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
