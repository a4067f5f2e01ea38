import { expect, test } from "vitest";
import { MOST_PERMITS, nextDemand, permitCount, slotsOf, sparePermits } from "./permit-share.ts";

test.each([1, 2, 63, 64, 65, 100, 1_000, 12_345, 1_000_000])(
  "the permits of a cap of %i together stand for exactly that",
  (cap) => {
    let sum = 0;
    for (let permit = 0; permit < MOST_PERMITS + 10; permit += 1) sum += slotsOf(permit, cap);
    expect(sum).toBe(cap);
    expect(permitCount(cap)).toBeLessThanOrEqual(MOST_PERMITS);
    expect(slotsOf(permitCount(cap) - 1, cap)).toBeGreaterThan(0);
  },
);

test.each<[held: number[], cap: number, needed: number, spare: number[]]>([
  [[0, 1, 2], 10, 1, [2, 1]],
  [[0, 1, 2], 10, 3, []],
  [[0, 1, 2], 10, 0, [2, 1, 0]],
  // The cap was lowered to 2: what stands for nothing goes, unless jobs still need it.
  [[0, 5, 6], 2, 1, [6, 5]],
  [[0, 5, 6], 2, 3, []],
  // A cap of 100: the first 36 permits stand for two slots each.
  [[0, 40], 100, 2, [40]],
  [[0, 40], 100, 3, []],
  [[], 5, 1, []],
])("of %j under a cap of %i, with %i needed, %j can go", (held, cap, needed, spare) => {
  expect(sparePermits(held, cap, needed)).toEqual(spare);
});

test.each([
  [0, 0, 16, 1],
  [1, 1, 16, 2],
  [4, 4, 16, 8],
  [10, 10, 16, 16],
  [0, 3, 16, 6],
])("with %i and %i used of %i slots a node asks for %i", (allowance, used, slots, demand) => {
  expect(nextDemand(allowance, used, slots)).toBe(demand);
});
