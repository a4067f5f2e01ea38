import { describe, expect, it } from "vitest";
import { judge } from "./simulate.ts";
import { FLAVOURS } from "./jetstream/flavour.ts";
import { natsRealm } from "./world/nats-realm.ts";
import { liveThrough } from "./world/world.ts";

describe("a simulated world under the real broker-nats", () => {
  it("is the same for the same seed, byte for byte", async () => {
    const once = await liveThrough({ seed: 5, realm: natsRealm() });
    const again = await liveThrough({ seed: 5, realm: natsRealm() });
    expect(again.ledger.text).toBe(once.ledger.text);
    expect(once.struck.length).toBeGreaterThan(5);
    expect(once.ledger.entries.length).toBeGreaterThan(200);
  });

  it.each(Object.entries(FLAVOURS))(
    "on %s: where no fault may happen nothing is repeated and all ends",
    async (_name, flavour) => {
      for (const seed of [1, 5, 6]) {
        const { world, violations } = await judge({
          seed,
          realm: natsRealm(flavour),
          faults: new Set(),
        });
        expect(violations).toEqual([]);
        expect(world.struck).toEqual([]);
        const begun = world.ledger.entries.filter(({ is }) => is === "began").length;
        expect(begun).toBeGreaterThan(10);
      }
    },
  );
});
