import { describe, expect, it } from "vitest";
import { judge } from "./simulate.ts";
import { liveThrough } from "./world/world.ts";

describe("a simulated world", () => {
  it("is the same for the same seed, byte for byte", async () => {
    const once = await liveThrough({ seed: 5 });
    const again = await liveThrough({ seed: 5 });
    expect(again.ledger.text).toBe(once.ledger.text);
    expect(once.struck.length).toBeGreaterThan(5);
    expect(once.ledger.entries.length).toBeGreaterThan(200);
  });

  it("is another for another seed", async () => {
    const [one, other] = [await liveThrough({ seed: 3 }), await liveThrough({ seed: 4 })];
    expect(other.ledger.text).not.toBe(one.ledger.text);
  });

  it("has no fault where none may happen, and then nothing is repeated and all ends", async () => {
    // Without hostile producers: what those can do is the business of tests of their own.
    for (const seed of [1, 5, 6, 9]) {
      const { world, violations } = await judge({ seed, faults: new Set() });
      expect(violations).toEqual([]);
      expect(world.struck).toEqual([]);
      const begun = world.ledger.entries.filter(({ is }) => is === "began").length;
      expect(begun).toBeGreaterThan(10);
    }
  });
});
