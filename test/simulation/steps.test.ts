import { describe, expect, it } from "vitest";
import { FLAVOURS } from "./jetstream/flavour.ts";
import {
  forgetsSteps,
  lastRecordCounts,
  looksAway,
  takesTwice,
  tellsOfNoSignal,
} from "./mutants.ts";
import type { ViolationKind } from "./oracle/violation.ts";
import { judge } from "./simulate.ts";
import { natsRealm } from "./world/nats-realm.ts";
import type { RealmOf } from "./world/realm.ts";

/** Worlds in which nodes die, are cut off and stand still between a step and its record. */
const SEEDS = 16;

describe("a world in which jobs have steps", () => {
  it(
    "no recorded step is run again, and no signal or wake is lost",
    { timeout: 600_000 },
    async () => {
      let again = 0;
      let taken = 0;
      for (let seed = 1; seed <= SEEDS; seed += 1) {
        const { world, violations } = await judge({ seed, steps: true });
        expect(violations, `seed ${seed}`).toEqual([]);
        const ran = world.ledger.entries.filter((entry) => entry.is === "step-ran");
        const places = new Set(
          ran.map(({ job, createdAt, step }) => `${job} ${createdAt} ${step}`),
        );
        again += ran.length - places.size;
        taken += world.ledger.entries.filter((entry) => entry.is === "signal-taken").length;
      }
      // A share in which no step is ever run twice before its record would prove nothing.
      expect(again).toBeGreaterThan(5);
      expect(taken).toBeGreaterThan(50);
    },
  );

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

  it.each<[string, RealmOf, readonly ViolationKind[]]>([
    ["the journal is never read", forgetsSteps, ["step-again", "untrue-step"]],
    ["the last record of a step counts", lastRecordCounts, ["step-again", "untrue-step"]],
    ["nobody is told of signals", tellsOfNoSignal, ["lost-wake"]],
    ["nobody looks for a signal while a job is put aside", looksAway, ["lost-wake"]],
    ["a signal that was sent twice counts twice", takesTwice, ["signal-twice"]],
  ])("is found at fault where %s", { timeout: 600_000 }, async (_name, realm, kinds) => {
    expect(await firstFound(realm, kinds)).toBeDefined();
  });
});

async function firstFound(
  realm: RealmOf,
  kinds: readonly ViolationKind[],
): Promise<number | undefined> {
  for (let seed = 1; seed <= 60; seed += 1) {
    const { violations } = await judge({ seed, steps: true, realm });
    if (violations.some(({ is }) => kinds.includes(is))) return seed;
  }
  return undefined;
}
