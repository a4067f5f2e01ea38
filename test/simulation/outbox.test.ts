import { type Broker, withOwn } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { FLAVOURS } from "./jetstream/flavour.ts";
import { judgeOutbox, type OutboxViolation } from "./outbox/judge-outbox.ts";
import { liveThroughOutbox, type OutboxWorldOptions } from "./outbox/outbox-world.ts";

/** Worlds in which all parts of an outbox die, are cut off and stand still. */
const SEEDS = 12;

describe("a world with an outbox", () => {
  it("is the same for the same seed", async () => {
    const once = await liveThroughOutbox({ seed: 7 });
    const again = await liveThroughOutbox({ seed: 7 });
    expect(again.stored).toEqual(once.stored);
    expect(again.struck).toEqual(once.struck);
    expect(again.database.charges).toEqual(once.database.charges);
  });

  it.each(Object.entries(FLAVOURS))(
    "on %s: what is committed is published and charged once, and what is rolled back never",
    { timeout: 600_000 },
    async (_name, flavour) => {
      let faults = 0;
      let undone = 0;
      for (let seed = 1; seed <= SEEDS; seed += 1) {
        const { world, found } = await judgeOutbox({ seed, flavour });
        expect(found, `seed ${seed}`).toEqual([]);
        faults += world.struck.length;
        undone += world.written.size - world.database.orders.size;
      }
      // Worlds in which nothing happens would prove nothing.
      expect(faults).toBeGreaterThan(100);
      expect(undone).toBeGreaterThan(100);
    },
  );

  it.each<[string, Omit<OutboxWorldOptions, "seed">, readonly OutboxViolation[]]>([
    ["jobs are published without their mark", { spoil: withoutMark }, ["published-twice"]],
    [
      "a relay makes a claim of its own where one is open",
      { claimFaults: { claimsAnew: true } },
      ["lost", "published-twice"],
    ],
  ])("is found at fault where %s", { timeout: 600_000 }, async (_name, fault, kinds) => {
    expect(await firstFound(fault, kinds)).toBeDefined();
  });
});

/** The jobs are in the queue, and the mark is as it was. */
function withoutMark(broker: Broker): Broker {
  const { marks } = broker;
  if (marks === undefined) return broker;
  return withOwn(broker, {
    marks: withOwn(marks, { enqueue: (jobs) => broker.enqueue(jobs) }),
  });
}

async function firstFound(
  fault: Omit<OutboxWorldOptions, "seed">,
  kinds: readonly OutboxViolation[],
): Promise<number | undefined> {
  for (let seed = 1; seed <= 40; seed += 1) {
    const { found } = await judgeOutbox({ seed, ...fault });
    if (found.some(({ is }) => kinds.includes(is))) return seed;
  }
  return undefined;
}
