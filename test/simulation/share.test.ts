import { describe, expect, it } from "vitest";
import { FAULT_KINDS } from "./broker/network.ts";
import { judge } from "./simulate.ts";

/** The share of every test run; `pnpm simulate` goes on from there. */
const SEEDS = 60;

describe("worlds with faults of every kind", () => {
  it("keep every promise", { timeout: 240_000 }, async () => {
    const struck = new Set<string>();
    let faults = 0;
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { world, violations } = await judge({ seed });
      faults += world.struck.length;
      for (const { kind } of world.struck) struck.add(kind);
      expect(violations, `pnpm simulate --seed ${seed}`).toEqual([]);
    }
    expect(faults).toBeGreaterThan(200);
    // A share in which some kind of fault never comes would prove nothing of it.
    expect([...struck].toSorted()).toEqual(FAULT_KINDS.toSorted());
  });
});
