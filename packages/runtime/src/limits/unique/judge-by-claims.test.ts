import { type StoredClaim, type UniqueClaim, type UniqueClaims, UniqueKey } from "@millrace/core";
import { expect, test } from "vitest";
import type { Meeting } from "./job-meeting.ts";
import { judgeMeeting, judgeStanding } from "./judge-meeting.ts";
import { judgeByClaims, judgePeeked } from "./judge-by-claims.ts";

const KEY = new UniqueKey("search", "doc-7");
const met: Meeting = {
  id: "mine",
  generation: 0,
  enqueuedAt: 1_000,
  sequence: 4,
  earlier: "none",
  while: "running",
  onConflict: "keep",
  notBefore: undefined,
  now: 2_000,
};

function stored(claim: UniqueClaim, revision = 7): StoredClaim {
  return { claim, revision, since: 900, updatedAt: 950 };
}

const mine = stored({ id: "mine", state: "claimed", while: "running" });
const held = stored({ id: "other", state: "seen", while: "running" });
const freed = stored({ id: "other", state: "freed", while: "running" });
const given = stored({ id: "mine", state: "freed", while: "running" });

/** What the copy shows that was asked, and what its leader knows. */
async function judged(peeked: StoredClaim | undefined, known: StoredClaim | undefined, at = met) {
  let reads = 0;
  const claims: Pick<UniqueClaims, "read" | "standing"> = {
    read: async () => {
      reads += 1;
      return known;
    },
    standing: async (_key, by) => ({ kind: "held", by }),
  };
  const verdict = await judgePeeked(claims as UniqueClaims, KEY, peeked, at);
  return { does: verdict.do, reads };
}

test("its own claim lets a job run, and nothing more is asked", async () => {
  expect(await judged(mine, undefined)).toEqual({ does: "pass", reads: 0 });
});

test("its own claim of a life before says that it is of this one, so that no record frees it", () => {
  const second: Meeting = { ...met, generation: 2_051 };
  const claim = { id: "mine", state: "seen", while: "running", generation: 2_051 };
  expect(judgeMeeting(mine, second)).toMatchObject({ do: "take", claim });
  const known = { ...mine, claim: { ...mine.claim, generation: 2_048 } };
  expect(judgeMeeting(known, second)).toMatchObject({ do: "pass" });
});

test("a write at the revision that was seen proves it, so nothing more is asked", async () => {
  expect(await judged(undefined, mine)).toEqual({ does: "take", reads: 0 });
  expect(await judged(freed, mine)).toEqual({ does: "take", reads: 0 });
  expect(await judged(given, mine)).toEqual({ does: "take", reads: 0 });
});

test("no job gives way to a claim that only a peek has shown", async () => {
  expect(await judged(held, mine)).toEqual({ does: "pass", reads: 1 });
  expect(await judged(held, held)).toEqual({ does: "cancel", reads: 1 });
  // It was enqueued while another held its key.
  const late = { ...freed, updatedAt: 1_500 };
  expect(await judged(late, mine)).toEqual({ does: "pass", reads: 1 });
});

test("no job runs beside another's claim by a peek alone", async () => {
  const retry: Meeting = { ...met, earlier: "run", while: "pending" };
  expect(await judged(undefined, undefined, retry)).toEqual({ does: "pass", reads: 1 });
  expect(await judged(freed, freed, retry)).toEqual({ does: "pass", reads: 1 });
});

test("a job that was replaced does not run where its key was taken since by one that never came", async () => {
  const displaced = [{ id: "mine", by: "third", due: 1_200 }];
  const by = stored({ id: "other", state: "claimed", while: "running", displaced });
  const judge = async (was: readonly string[]) => {
    const claims: Pick<UniqueClaims, "read" | "standing" | "wasThere"> = {
      read: async () => by,
      standing: async () => ({ kind: "free" }),
      wasThere: async (_key, id) => was.includes(id),
    };
    return (await judgeByClaims(claims as UniqueClaims, KEY, met)).do;
  };
  expect(await judge(["third"])).toBe("cancel");
  expect(await judge([])).toBe("take");
});

test("a job that was replaced does not run where its holder was lost and its successor has ended", () => {
  const by = stored({ id: "other", state: "seen", while: "running", replaced: ["mine"] });
  const lost: Meeting = { ...met, earlier: "perhaps" };
  expect(judgeStanding(by, { kind: "free", since: 1_500 }, lost)).toMatchObject({ do: "cancel" });
  const retry: Meeting = { ...met, earlier: "run" };
  expect(judgeStanding(by, { kind: "free", since: 1_500 }, retry)).toMatchObject({ do: "take" });
});

test("a job gives way to one between that was there, where the one that is named never came", async () => {
  const displaced = [
    { id: "mine", by: "third", due: 1_200 },
    { id: "second", by: "third", due: 1_300 },
  ];
  const by = stored({ id: "other", state: "claimed", while: "running", displaced });
  const judge = async (was: readonly string[]) => {
    const claims: Pick<UniqueClaims, "read" | "standing" | "wasThere"> = {
      read: async () => by,
      standing: async () => ({ kind: "free" }),
      wasThere: async (_key, id) => was.includes(id),
    };
    return judgeByClaims(claims as UniqueClaims, KEY, met);
  };
  expect(await judge(["second"])).toMatchObject({
    do: "cancel",
    reason: expect.stringContaining("Replaced by second,"),
  });
  expect(await judge([])).toMatchObject({ do: "take" });
});

test("a job that gave way itself looks for nobody before it, and does once its key is its own", async () => {
  const displaced = [
    { id: "first", by: "third", due: 1_100 },
    { id: "mine", by: "third", due: 1_200 },
  ];
  const by = stored({ id: "third", state: "claimed", replaced: ["mine", "first"], displaced });
  expect(judgeMeeting(by, met)).toMatchObject({ do: "ask" });
  const back = stored({
    id: "mine",
    state: "seen",
    displaced: [{ id: "first", by: "mine", due: 1 }],
  });
  expect(judgeMeeting(back, met)).toMatchObject({ do: "end-displaced" });
});
