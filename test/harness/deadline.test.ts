import { describe, expect, it } from "vitest";
import { outOfCluster } from "./cluster/out-of-cluster.ts";
import { eventually, within } from "./deadline.ts";

describe("eventually", () => {
  it("returns the first truthy value", async () => {
    let looks = 0;
    const value = await eventually(() => (++looks === 3 ? "there" : undefined), {
      withinMs: 5_000,
      everyMs: 1,
      describe: "three looks",
    });
    expect([value, looks]).toEqual(["there", 3]);
  });

  it("says what was missing and what the last look saw", async () => {
    outOfCluster();
    const failure = eventually(() => Promise.reject(new Error("still closed")), {
      withinMs: 10,
      everyMs: 1,
      describe: () => "the door is open",
    });
    await expect(failure).rejects.toThrow(/not within 10 ms .* the door is open; .*still closed/);
  });
});

describe("within", () => {
  it("passes a value and a failure on", async () => {
    await expect(within(Promise.resolve(1), 1_000, "one")).resolves.toBe(1);
    await expect(within(Promise.reject(new Error("no")), 1_000, "one")).rejects.toThrow("no");
  });

  it("names what did not come", async () => {
    outOfCluster();
    await expect(within(new Promise(() => {}), 5, "the reply")).rejects.toThrow(
      "not within 5 ms: the reply",
    );
  });
});
