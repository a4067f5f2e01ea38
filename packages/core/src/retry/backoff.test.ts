import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NO_RETRY, type RetryOptions, retryPolicy } from "./backoff.ts";

const error = { type: "Error", message: "it broke" };

function delays(options: RetryOptions, count = 5, random = 0.5): readonly (number | "never")[] {
  const policy = retryPolicy(options);
  return Array.from({ length: count }, (_, index) =>
    policy.delayMs({ attempts: index + 1, error, random }),
  );
}

describe("retryPolicy", () => {
  test.each<[string, RetryOptions, readonly number[]]>([
    ["none", { backoff: "none" }, [0, 0, 0, 0, 0]],
    ["fixed", { backoff: "fixed", base: "2s" }, [2_000, 2_000, 2_000, 2_000, 2_000]],
    ["exponential", { backoff: "exponential", base: "1s" }, [1_000, 2_000, 4_000, 8_000, 16_000]],
    [
      "exponential by 10",
      { backoff: "exponential", base: 5, factor: 10 },
      [5, 50, 500, 5_000, 50_000],
    ],
    ["polynomial", { backoff: "polynomial", base: 10, degree: 2 }, [10, 40, 90, 160, 250]],
    [
      "polynomial by default to the fourth",
      { backoff: "polynomial", base: 1 },
      [1, 16, 81, 256, 625],
    ],
    [
      "capped",
      { backoff: "exponential", base: "1s", max: "5s" },
      [1_000, 2_000, 4_000, 5_000, 5_000],
    ],
    [
      "fixed above its cap",
      { backoff: "fixed", base: "10m" },
      [300_000, 300_000, 300_000, 300_000, 300_000],
    ],
    ["without a word", {}, [1_000, 2_000, 4_000, 8_000, 16_000]],
  ])("%s", (_, options, expected) => {
    expect(delays({ jitter: false, ...options })).toEqual(expected);
  });

  test("attempts are 5 by default, and `none` means one", () => {
    expect([
      retryPolicy().attempts,
      retryPolicy({ attempts: 9 }).attempts,
      retryPolicy("none").attempts,
    ]).toEqual([5, 9, 1]);
    expect(retryPolicy("none")).toBe(NO_RETRY);
    expect(NO_RETRY.delayMs({ attempts: 1, error, random: 0 })).toBe("never");
  });

  test("jitter spreads evenly around the delay", () => {
    const at = (random: number, jitter: boolean | number): number | "never" | undefined =>
      delays({ backoff: "fixed", base: 1_000, jitter }, 1, random)[0];
    expect([at(0, true), at(0.5, true), at(0.999, true)]).toEqual([750, 1_000, 1_250]);
    expect([at(0, 1), at(0.5, 1), at(0, 0.1), at(0.9, 0)]).toEqual([0, 1_000, 900, 1_000]);
  });

  test("a curve that overflows ends at the cap", () => {
    const policy = retryPolicy({
      backoff: "exponential",
      base: "1d",
      factor: 1e100,
      max: "7d",
      jitter: false,
    });
    expect(policy.delayMs({ attempts: 1_000, error, random: 0.5 })).toBe(7 * 86_400_000);
  });

  test("no base stays none, also where the curve overflows", () => {
    for (const options of [
      { backoff: "exponential", factor: 1e300 },
      { backoff: "polynomial", degree: 100 },
    ] as const) {
      expect(
        retryPolicy({ ...options, base: 0 }).delayMs({ attempts: 100_000, error, random: 0.5 }),
      ).toBe(0);
    }
  });

  test("a function of one's own may answer in any duration, is capped, and may give up", () => {
    const policy = retryPolicy({
      backoff: ({ attempts, error: { type } }) =>
        type === "Fatal" ? "never" : `${attempts * 10}s`,
      max: "25s",
      jitter: false,
    });
    const ask = (attempts: number, type = "Error"): number | "never" =>
      policy.delayMs({ attempts, error: { type, message: "" }, random: 0.5 });
    expect([ask(1), ask(2), ask(3), ask(1, "Fatal")]).toEqual([10_000, 20_000, 25_000, "never"]);
  });

  test("a function that answers nonsense says which option it is", () => {
    const policy = retryPolicy({ backoff: () => Number.NaN });
    expect(() => policy.delayMs({ attempts: 1, error, random: 0 })).toThrow(
      expect.objectContaining({
        code: "invalid-duration",
        message: expect.stringContaining("retry.backoff()"),
      }),
    );
  });

  test.each<[string, unknown, string]>([
    ["no attempts", { attempts: 0 }, "retry.attempts"],
    ["half an attempt", { attempts: 1.5 }, "retry.attempts"],
    ["attempts without end", { attempts: Number.POSITIVE_INFINITY }, "retry.attempts"],
    ["a factor below 1", { factor: 0.5 }, "retry.factor"],
    ["a degree that is none", { backoff: "polynomial", degree: Number.NaN }, "retry.degree"],
    ["a negative jitter", { jitter: -0.1 }, "retry.jitter"],
    ["a jitter above 1", { jitter: 1.1 }, "retry.jitter"],
    ["a jitter that is no number", { jitter: Number.NaN }, "retry.jitter"],
    ["an unknown backoff", { backoff: "linear" }, "retry.backoff"],
  ])("%s is refused by name", (_, options, field) => {
    expect(() => retryPolicy(options as RetryOptions)).toThrow(
      expect.objectContaining({ code: "invalid-option", message: expect.stringContaining(field) }),
    );
  });

  test.each([
    ["retry.base", { base: "soon" }],
    ["retry.max", { max: -1 }],
  ])("a bad %s is refused by name", (field, options) => {
    expect(() => retryPolicy(options as unknown as RetryOptions)).toThrow(
      expect.objectContaining({
        code: "invalid-duration",
        message: expect.stringContaining(field),
      }),
    );
  });

  test("no delay is below 0, above the cap, or a fraction, and the same question has the same answer (property)", () => {
    const options = fc.record({
      backoff: fc.constantFrom("none", "fixed", "exponential", "polynomial"),
      base: fc.nat({ max: 100_000_000 }),
      factor: fc.double({ min: 1, max: 1e6, noNaN: true }),
      degree: fc.double({ min: 1, max: 100, noNaN: true }),
      max: fc.nat({ max: 100_000_000 }),
      jitter: fc.oneof(fc.boolean(), fc.double({ min: 0, max: 1, noNaN: true })),
    });
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(
        options,
        fc.integer({ min: 1, max: 1_000_000 }),
        random,
        (given, attempts, chance) => {
          const [first, second] = [1, 2].map(() =>
            retryPolicy(given).delayMs({ attempts, error, random: chance }),
          );
          expect(first).toBe(second);
          expect(Number.isInteger(first)).toBe(true);
          expect(first).toBeGreaterThanOrEqual(0);
          expect(first).toBeLessThanOrEqual(given.max);
        },
      ),
    );
  });
});
