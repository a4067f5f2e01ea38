import { expect, test } from "vitest";
import { fencingToken, type RunOrder } from "./fencing-token.ts";

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

test("a clock that runs behind the producer's is no negative age", () => {
  expect(fencingToken({ ...FIRST, ageMs: -5_000 })).toBe(fencingToken(FIRST));
});

test("stays exact for eight million publications", () => {
  expect(fencingToken({ generation: 8e6, deliveryCount: 63, ageMs: 1e12 })).toBeLessThan(
    Number.MAX_SAFE_INTEGER,
  );
});
