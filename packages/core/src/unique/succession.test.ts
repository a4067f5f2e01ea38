import { expect, test } from "vitest";
import {
  displacedBy,
  lookedFor,
  mayBeAwaited,
  nextLife,
  remembered,
  successor,
  successorSeen,
  successorsOf,
  withoutName,
} from "./succession.ts";
import { readClaim, type StoredClaim, type UniqueClaim } from "./unique-claim.ts";

const HOUR_MS = 3_600_000;

const waits = (id: string): UniqueClaim => ({ id, state: "claimed", replaceable: true, due: 9e9 });
const stored = (claim: UniqueClaim): StoredClaim => ({
  ...{ claim, revision: 1, updatedAt: 1_000, since: 1_000 },
});
const after = (claim: UniqueClaim, id: string, now = 1_000): UniqueClaim =>
  successor(waits(id), stored(claim), { debounces: false, now });
const idsOf = ({ displaced = [] }: Pick<UniqueClaim, "displaced">): readonly string[] =>
  displaced.map(({ id }) => id);

test("a job that was met ends those before it, though another has taken its place by then", () => {
  const claim = ["b", "c", "d"].reduce((before, id) => after(before, id), waits("a"));
  expect(displacedBy(claim, "d").map(({ id }) => id)).toEqual(["a", "b", "c"]);
  expect(displacedBy(claim, "c").map(({ id }) => id)).toEqual(["a", "b"]);
  const met = successorSeen(stored(claim), "c", 2_000);
  // Which of the others come is not known yet.
  expect(met.displaced).toEqual([
    { id: "a", by: "c", due: 9e9, seen: true },
    { id: "b", by: "c", due: 9e9, seen: true },
    { id: "c", by: "d", due: 9e9 },
  ]);
  const both = new Set(["a", "b"]);
  const looked = lookedFor(stored(met), both, new Set(["a"]));
  expect(looked.displaced).toEqual([
    { id: "b", by: "c", due: 9e9, seen: true, sought: true },
    { id: "c", by: "d", due: 9e9 },
  ]);
  expect(displacedBy(looked, "c")).toEqual([]);
  expect(displacedBy(looked, "d").map(({ id }) => id)).toEqual(["c"]);
});

test("those that gave way are looked for again where the node died before it had looked", () => {
  const met = successorSeen(stored(after(waits("a"), "b")), "b", 2_000);
  expect(displacedBy(met, "b").map(({ id }) => id)).toEqual(["a"]);
});

test("of very many that gave way the latest are known", () => {
  const ids = Array.from({ length: 100 }, (_, n) => `j${n}`);
  const { displaced = [] } = ids.reduce((before, id) => after(before, id), waits("first"));
  expect(displaced).toHaveLength(64);
  expect(displaced.at(-1)).toMatchObject({ id: "j98", by: "j99" });
});

test("who gave way just now is known, though many gave way before", () => {
  const before = Array.from({ length: 64 }, (_, n) => ({
    ...{ id: `old${n}`, by: "x", due: 1_000 + n },
    ...({ seen: true, sought: true } as const),
  }));
  const claim: UniqueClaim = { ...waits("b"), replaced: ["a2", "a1"], displaced: before };
  const by = { ...stored(claim), updatedAt: 60_000 };
  const next = nextLife(by, waits("c"));
  expect(next.displaced).toHaveLength(64);
  expect(idsOf(next)).toEqual(expect.arrayContaining(["a1", "a2", "old63"]));
  expect(idsOf(next)).not.toContain("old0");
});

test("who was not found as its successor was met is known for ten minutes", () => {
  const claim = after({ ...waits("a"), due: 3_000 }, "b");
  const met = successorSeen(stored(claim), "b", 60_000);
  const looked = lookedFor(stored(met), new Set(["a"]), new Set());
  expect(looked.displaced).toEqual([{ id: "a", by: "b", due: 60_000, seen: true, sought: true }]);
  const names = (updatedAt: number) => {
    const by = { ...stored(looked), updatedAt };
    return {
      replacing: idsOf(successor(waits("c"), by, { debounces: false, now: updatedAt })),
      free: idsOf(remembered(by, { came: false })),
    };
  };
  expect(names(660_000)).toEqual({ replacing: ["a", "b"], free: ["a"] });
  expect(names(660_001)).toEqual({ replacing: ["b"], free: [] });
});

test("who gave way to one that was not met is known for a day after the end of that one's window", () => {
  const during = { windowMs: HOUR_MS };
  const own: UniqueClaim = { ...waits("a"), while: during, due: 3_000 };
  const by: UniqueClaim = { ...waits("b"), while: during };
  const claim = successor(by, stored(own), { debounces: false, now: HOUR_MS / 2 });
  const known = HOUR_MS * 1.5;
  expect(claim.displaced).toEqual([{ id: "a", by: "b", due: known }]);
  const last = known + 24 * HOUR_MS;
  expect([mayBeAwaited(claim, last), mayBeAwaited(claim, last + 1)]).toEqual([true, false]);
  const free = (updatedAt: number) =>
    idsOf(remembered({ ...stored(claim), updatedAt }, { came: false }));
  expect([free(last), free(last + 1)]).toEqual([["a"], []]);
});

test("who gave way long after its time is known from then on", () => {
  const claim = after({ ...waits("a"), due: 3_000 }, "b", 2 * HOUR_MS);
  expect(claim.displaced).toEqual([{ id: "a", by: "b", due: 2 * HOUR_MS }]);
});

test("the next claim of a free key names those that its job had replaced, if that was there", () => {
  const claim: UniqueClaim = { id: "c", state: "freed", replaced: ["b", "a"] };
  const gone = { by: "c", due: 1_000, seen: true, sought: true };
  expect(remembered(stored(claim), { came: true }).displaced).toEqual([
    { id: "a", ...gone },
    { id: "b", ...gone },
  ]);
  expect(idsOf(remembered(stored(claim), { came: false }))).toEqual([]);
});

test("a claim beside a job that was let through tells who gave way to that one, in their order", () => {
  const claim = ["b", "c", "d"].reduce<UniqueClaim>((before, id) => after(before, id), {
    ...waits("a"),
    due: 3_000,
  });
  const { due: _none, ...own } = claim;
  const through = { ...own, replaced: ["c", "x", "b", "a"], through: { id: "d", since: 1_000 } };
  const next = after(through, "e");
  expect(next).not.toHaveProperty("replaced");
  expect(next.displaced).toEqual([
    { id: "a", by: "d", due: 3_000 },
    { id: "b", by: "d", due: 9e9 },
    { id: "x", by: "d", due: 1_000, sought: true },
    { id: "c", by: "d", due: 9e9 },
  ]);
  expect(displacedBy(next, "e")).toEqual([]);
  expect([...successorsOf(next, "b")]).toEqual(["d", "c", "x"]);
});

test("a job gave way to the one that is named, or to any between", () => {
  const claim = ["b", "c", "d"].reduce((before, id) => after(before, id), waits("a"));
  expect([...successorsOf(claim, "a")]).toEqual(["d", "c", "b"]);
  expect([...successorsOf(claim, "c")]).toEqual(["d"]);
});

test("a free key is free since then, whatever is written to its claim afterwards", () => {
  const displaced = [{ id: "a", by: "b", due: 9e9 }];
  const freed = stored({ id: "b", state: "freed", displaced });
  for (const value of [
    successorSeen(freed, "b", 2_000),
    lookedFor(freed, new Set(["a"]), new Set()),
    withoutName(freed, "a"),
  ])
    expect(readClaim({ value, revision: 2, updatedAt: 90_000 })).toMatchObject({
      updatedAt: 1_000,
      since: 1_000,
    });
});
