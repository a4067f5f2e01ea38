import { describe, expect, it } from "vitest";
import { Silences } from "./silences.ts";

/** What is said of the last of these: when, and what was heard then. */
function silentSince(...heard: readonly (readonly [atMs: number, point?: string])[]): unknown {
  const silences = new Silences();
  let since: number | undefined;
  for (const [atMs, point = "pull work"] of heard) since = silences.heard("n1-1", point, atMs);
  return since;
}

const BEAT = "put nodes n1-1";

describe("how long a process was silent", () => {
  it("is from the last that was heard of it, where it was for thirty seconds", () => {
    expect(silentSince([0], [1_000], [31_000])).toBe(1_000);
    expect(silentSince([0], [1_000], [30_999])).toBeUndefined();
    expect(silentSince([0], [1_000], [31_000], [31_001])).toBeUndefined();
  });

  it("goes on where the process was in reach for a moment and said no heartbeat", () => {
    expect(silentSince([0], [20_000], [20_100], [40_000])).toBe(0);
    expect(silentSince([0], [20_000], [20_100, BEAT], [40_000])).toBeUndefined();
    expect(silentSince([0], [20_000, BEAT], [40_000], [51_000])).toBe(20_000);
    expect(silentSince([0], [20_000, "put nodes n2-1"], [40_000])).toBe(0);
  });

  it("is over once the process stays in reach, whether it says a heartbeat or not", () => {
    const inReach = [[20_000], [23_000], [25_001]] as const;
    expect(silentSince([0], ...inReach, [50_000])).toBeUndefined();
    expect(silentSince([0], ...inReach, [55_001])).toBe(25_001);
    expect(silentSince([0], [20_000], [23_000], [25_000], [50_000])).toBe(0);
  });
});
