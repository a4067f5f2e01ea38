import { describe, expect, it } from "vitest";
import type { FaultKind } from "./broker/network.ts";
import { judge } from "./simulate.ts";

/**
 * The share of every test run. Without freezes and crashes of the server: of those two, worlds still break promises in ways that are written
 * down in docs/simulation.md, and `pnpm simulate` finds them.
 */
const KINDS: ReadonlySet<FaultKind> = new Set<FaultKind>([
  ...(["kill-before", "kill-after", "stop", "cut-before", "cut-after"] as const),
  ...(["slow", "elect"] as const),
]);
const SEEDS = 40;

describe("worlds in which nodes are killed and stopped, lines cut, and elections held", () => {
  it("keep every promise", { timeout: 240_000 }, async () => {
    let faults = 0;
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { world, violations } = await judge({ seed, kinds: KINDS });
      faults += world.struck.length;
      expect(violations, `pnpm simulate --seed ${seed} --faults kill,stop,cut,slow,elect`).toEqual(
        [],
      );
    }
    expect(faults).toBeGreaterThan(100);
  });
});
