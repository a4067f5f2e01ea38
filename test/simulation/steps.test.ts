import { describe, expect, it } from "vitest";
import { FLAVOURS } from "./jetstream/flavour.ts";
import { forgetsSteps, lastRecordCounts } from "./mutants.ts";
import { judge } from "./simulate.ts";
import { natsRealm } from "./world/nats-realm.ts";

/** Worlds in which nodes die, are cut off and stand still between a step and its record. */
const SEEDS = 16;

describe("a world in which jobs have steps", () => {
  it("no recorded step is run again, and each has one result", { timeout: 600_000 }, async () => {
    let again = 0;
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { world, violations } = await judge({ seed, steps: true });
      expect(violations, `seed ${seed}`).toEqual([]);
      const ran = world.ledger.entries.filter((entry) => entry.is === "step-ran");
      const places = new Set(ran.map(({ job, createdAt, step }) => `${job} ${createdAt} ${step}`));
      again += ran.length - places.size;
    }
    // A share in which no step is ever run twice before its record would prove nothing.
    expect(again).toBeGreaterThan(5);
  });

  it.each(Object.entries(FLAVOURS))(
    "nor under the real broker-nats, on %s",
    { timeout: 600_000 },
    async (_name, flavour) => {
      for (const seed of [5, 10]) {
        const realm = natsRealm(flavour);
        const { violations } = await judge({ seed, steps: true, realm });
        expect(violations, `seed ${seed}`).toEqual([]);
      }
    },
  );

  it("is found at fault where the journal is never read", { timeout: 600_000 }, async () => {
    expect(await firstFound(forgetsSteps)).toBeDefined();
  });

  it("is found at fault where the last record of a step counts", { timeout: 600_000 }, async () => {
    expect(await firstFound(lastRecordCounts)).toBeDefined();
  });
});

async function firstFound(realm: typeof forgetsSteps): Promise<number | undefined> {
  for (let seed = 1; seed <= 60; seed += 1) {
    const { violations } = await judge({ seed, steps: true, realm });
    if (violations.some(({ is }) => is === "step-again" || is === "untrue-step")) return seed;
  }
  return undefined;
}
