import { expect, it } from "vitest";
import { judge } from "./simulate.ts";

/** Among them those that showed batches which were made a second time (75, 234, 277). */
const SEEDS = [2, 7, 10, 74, 75, 230, 234, 277];
/** How long a queue remembers ids. */
const WINDOW_MS = 120_000;

it("keeps its promises where faults outlast what a queue remembers of ids", async () => {
  const lasted: number[] = [];
  for (const seed of SEEDS) {
    const { world, violations } = await judge({ seed, outages: true });
    expect(violations, `seed ${seed}`).toEqual([]);
    // A node says every ten seconds that it is there.
    const silences = world.ledger.entries.flatMap((entry) =>
      entry.is === "silent" && /^n\d/.test(entry.process) ? [entry.atMs - entry.sinceMs] : [],
    );
    lasted.push(Math.max(0, ...silences));
  }
  expect(lasted.filter((ms) => ms > WINDOW_MS).length).toBeGreaterThan(2);
});
