import { describe, expect, it } from "vitest";
import { fewest } from "./shrink.ts";

const upTo = (most: number): number[] => Array.from({ length: most }, (_, index) => index);

describe("the fewest of a set with which something holds", () => {
  it("is the two that it takes, of a hundred", async () => {
    let asked = 0;
    const holds = async (some: readonly number[]): Promise<boolean> => {
      asked += 1;
      return some.includes(17) && some.includes(80);
    };
    expect(await fewest(upTo(100), holds, 300)).toEqual([17, 80]);
    expect(asked).toBeLessThan(120);
  });

  it("is none where it holds of nothing at all, and all where none can be left out", async () => {
    expect(await fewest(upTo(8), async () => true, 100)).toEqual([]);
    expect(await fewest(upTo(8), async (some) => some.length === 8, 100)).toEqual(upTo(8));
  });

  it("is what is left when it has been asked often enough", async () => {
    const left = await fewest(upTo(100), async (some) => some.includes(99), 5);
    expect(left).toContain(99);
    expect(left.length).toBeLessThan(100);
  });
});
