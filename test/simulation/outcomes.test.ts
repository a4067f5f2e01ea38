import { describe, expect, it } from "vitest";
import { completesNothing } from "./mutants.ts";
import { isWord } from "./oracle/judge-outcomes.ts";
import { judge } from "./simulate.ts";

/** Worlds in which nodes die, are cut off and stand still while they settle. */
const SEEDS = [1, 5, 10, 14, 18, 50];
const FOUND_FROM = 14;
const WORLDS = 40;

describe("a world in which the ends of jobs are told to others", () => {
  it.each(SEEDS)("each end is told once, as it is on record (seed %i)", async (seed) => {
    const { world, violations } = await judge({ seed, tells: true });
    expect(violations).toEqual([]);
    expect(world.struck.length).toBeGreaterThan(0);
    const told = world.ledger.entries.filter((entry) => entry.is === "began" && isWord(entry.job));
    expect(told.length).toBeGreaterThan(5);
  });

  it("is found at fault where nobody completes what a dead holder has left", async () => {
    // What the runtime sends moves the dice of every world, so it is one of some.
    for (let seed = FOUND_FROM; seed < FOUND_FROM + WORLDS; seed += 1) {
      const { violations } = await judge({ seed, tells: true, realm: completesNothing });
      if (violations.some(({ is }) => is === "lost-word")) return;
    }
    expect.fail(`none of ${WORLDS} worlds shows it`);
  });
});
