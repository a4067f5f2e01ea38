import { expect, test } from "vitest";
import type { JobInHand } from "../job-in-hand.ts";
import { fencingToken, type RunOrder, tokenOf } from "./fencing-token.ts";

const FIRST: RunOrder = { generation: 0, deliveryCount: 1, ageMs: 0 };

test.each<[string, RunOrder, RunOrder]>([
  ["a delivery, however soon", { ...FIRST, ageMs: 60_000 }, { ...FIRST, deliveryCount: 2 }],
  [
    "a publication, however often and long the one before it was delivered",
    { generation: 0, deliveryCount: 1_000, ageMs: 1e12 },
    { generation: 1, deliveryCount: 1, ageMs: 0 },
  ],
  ["a delivery that the server forgot to count", FIRST, { ...FIRST, ageMs: 20 }],
  [
    "one of those that are counted no further",
    { ...FIRST, deliveryCount: 70 },
    { ...FIRST, deliveryCount: 71, ageMs: 1_000 },
  ],
])("grows with %s", (_what, earlier, later) => {
  expect(fencingToken(later)).toBeGreaterThan(fencingToken(earlier));
});

/** What is asked of a job in hand. */
function inHand(cameAt: number, waitedBehind = false): JobInHand {
  const of = { generation: 0, createdAt: 1_000 };
  return { delivery: { deliveryCount: 1 }, envelope: of, cameAt, waitedBehind } as JobInHand;
}

test("a delivery that waited behind one that came in the same moment has a token of its own", () => {
  expect(tokenOf(inHand(5_000, true))).toBeGreaterThan(tokenOf(inHand(5_000)));
  // However long it waited: whoever is given the message meanwhile came later.
  expect(tokenOf(inHand(5_000, true))).toBeLessThan(tokenOf(inHand(5_040)));
});

test("a clock that runs behind the producer's is no negative age", () => {
  expect(fencingToken({ ...FIRST, ageMs: -5_000 })).toBe(fencingToken(FIRST));
});

test("stays exact for eight million publications", () => {
  expect(fencingToken({ generation: 8e6, deliveryCount: 63, ageMs: 1e12 })).toBeLessThan(
    Number.MAX_SAFE_INTEGER,
  );
});
