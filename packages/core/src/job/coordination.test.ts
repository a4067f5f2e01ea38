import { expect, test } from "vitest";
import { coordination, type CoordinationOptions, keyOf } from "./coordination.ts";

type Input = { readonly tenant: string };
const key = (input: Input): string => input.tenant;

test("nothing asked for is nothing to do", () => {
  expect(coordination({})).toEqual({
    singleton: undefined,
    unique: undefined,
    concurrency: undefined,
    rateLimit: undefined,
  });
});

test("defaults, and durations in milliseconds", () => {
  expect(
    coordination<Input>({
      singleton: true,
      unique: { key },
      concurrency: { key, limit: 2 },
      rateLimit: { key, limit: 10, per: "1m" },
    }),
  ).toEqual({
    singleton: { key: undefined, onBusy: "wait" },
    unique: { key, while: "pending", onConflict: "keep" },
    concurrency: { key, limit: 2 },
    rateLimit: { key, limit: 10, perMs: 60_000 },
  });
  expect(
    coordination<Input>({
      singleton: { key: "reports", onBusy: "skip" },
      unique: { key, while: { window: "5m" }, onConflict: { debounce: "2s" } },
    }),
  ).toMatchObject({
    singleton: { key: "reports", onBusy: "skip" },
    unique: { while: { windowMs: 300_000 }, onConflict: { debounceMs: 2_000 } },
  });
});

test.each<[object, RegExp]>([
  [{ singleton: { key: "" } }, /singleton\.key/],
  [{ singleton: { onBusy: "fail" } }, /singleton\.onBusy/],
  [{ singleton: "yes" }, /singleton/],
  [{ unique: {} }, /unique\.key/],
  [{ unique: { key, while: "ever" } }, /unique\.while/],
  [{ unique: { key, while: { window: 0 } } }, /unique\.while\.window/],
  [{ unique: { key, onConflict: "fail" } }, /unique\.onConflict/],
  [{ concurrency: { key } }, /concurrency\.limit/],
  [{ concurrency: { key: "tenant", limit: 1 } }, /concurrency\.key/],
  [{ concurrency: { key, limit: 0 } }, /concurrency\.limit: must be a whole number from 1 to 1000/],
  [{ concurrency: { key, limit: 1_001 } }, /concurrency\.limit/],
  [{ rateLimit: { key, limit: 0, per: "1s" } }, /rateLimit\.limit/],
  [{ rateLimit: { key, limit: 1, per: "0s" } }, /rateLimit\.per/],
])("%o is refused", (options, message) => {
  expect(() => coordination(options as CoordinationOptions<Input>)).toThrow(message);
});

test("a key is a string of a sensible length, whatever the function does", () => {
  expect(keyOf(key, { tenant: "ada" }, "unique.key")).toBe("ada");
  for (const tenant of ["", "x".repeat(257), undefined as unknown as string])
    expect(() => keyOf(key, { tenant }, "unique.key")).toThrow(/unique\.key/);
  expect(() =>
    keyOf(
      () => {
        throw new Error("secret");
      },
      {},
      "unique.key",
    ),
  ).toThrow(/^unique\.key: the key function threw\.$/);
});
