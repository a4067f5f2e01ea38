import { expect, test } from "vitest";
import { displacedBy, remembered, successor, successorSeen } from "./succession.ts";
import type { StoredClaim, UniqueClaim } from "./unique-claim.ts";

const waits = (id: string): UniqueClaim => ({ id, state: "claimed", replaceable: true, due: 9e9 });
const stored = (claim: UniqueClaim): StoredClaim => ({
  ...{ claim, revision: 1, updatedAt: 1_000, since: 1_000 },
});
const after = (claim: UniqueClaim, id: string): UniqueClaim =>
  successor(waits(id), stored(claim), { debounces: false });

test("a job that was met ends those before it, though another has taken its place by then", () => {
  const claim = ["b", "c", "d"].reduce(after, waits("a"));
  expect(displacedBy(claim, "d").map(({ id }) => id)).toEqual(["a", "b", "c"]);
  expect(displacedBy(claim, "c").map(({ id }) => id)).toEqual(["a", "b"]);
  const met = successorSeen(stored(claim), "c", { ended: new Set(["a"]), now: 2_000 });
  // Which of the others come is not known yet.
  expect(met.displaced).toEqual([
    { id: "b", by: "c", due: 9e9, seen: true },
    { id: "c", by: "d", due: 9e9 },
  ]);
  expect(displacedBy(met, "c")).toEqual([]);
  expect(displacedBy(met, "d").map(({ id }) => id)).toEqual(["c"]);
});

test("of very many that gave way the latest are known", () => {
  const ids = Array.from({ length: 100 }, (_, n) => `j${n}`);
  const { displaced = [] } = ids.reduce(after, waits("first"));
  expect(displaced).toHaveLength(64);
  expect(displaced.at(-1)).toMatchObject({ id: "j98", by: "j99" });
});

test("who was not found as its successor was met is known for ten minutes", () => {
  const claim = after({ ...waits("a"), due: 3_000 }, "b");
  const met = successorSeen(stored(claim), "b", { ended: new Set(), now: 60_000 });
  expect(met.displaced).toEqual([{ id: "a", by: "b", due: 60_000, seen: true }]);
  const names = (updatedAt: number) => {
    const by = { ...stored(met), updatedAt };
    const { displaced: replacing = [] } = successor(waits("c"), by, { debounces: false });
    const { displaced: free = [] } = remembered(by);
    return { replacing: replacing.map(({ id }) => id), free: free.map(({ id }) => id) };
  };
  expect(names(660_000)).toEqual({ replacing: ["a", "b"], free: ["a"] });
  expect(names(660_001)).toEqual({ replacing: ["b"], free: [] });
});

test("who gave way to one that was not met yet is known until then, as it may have been put off", () => {
  const claim = after({ ...waits("a"), due: 3_000 }, "b");
  const late = { ...stored(claim), updatedAt: 9_000_000 };
  const { displaced = [] } = successor(waits("c"), late, { debounces: false });
  expect(displaced.map(({ id }) => id)).toEqual(["a", "b"]);
});
