import { LONGEST_LEASE_MS } from "@millrace/core";
import { expect, test } from "vitest";
import { lockValue, readLockValue, viewOf } from "./lock-entry.ts";

const CLAIM = { holder: "node-1", leaseMs: 30_000 };

test("a lock is read as it was written", () => {
  const value = lockValue(CLAIM, { write: "w", since: 1_000 });
  expect(readLockValue(JSON.stringify(value))).toEqual(value);
});

test("a lock of an older node is one, of which nobody knows since when it is held", () => {
  const value = readLockValue(JSON.stringify({ ...CLAIM, write: "w" }));
  expect(value).toEqual({ ...CLAIM, write: "w" });
  expect(viewOf({ name: "l", revision: 7, writtenAt: 5_000, value }, 6_000)).toEqual({
    ...{ ...CLAIM, name: "l", token: 7, leftMs: 29_000 },
  });
});

test.each(["soon", null, 1.5, {}, -9e15, 9e15])(
  "a lock held since %j is one without it",
  (since) => {
    const text = JSON.stringify({ ...CLAIM, write: "w", since });
    expect(readLockValue(text)).toEqual({ ...CLAIM, write: "w" });
  },
);

test("a holder whose clock is ahead holds nothing since a time that is yet to come", () => {
  const value = lockValue(CLAIM, { write: "w", since: 90_000 });
  const entry = { name: "l", revision: 7, writtenAt: 5_000, value };
  expect(viewOf(entry, 6_000)?.since).toBe(5_000);
});

test.each([
  ["no JSON", "{"],
  ["null", "null"],
  ["a lease that is no number", JSON.stringify({ ...CLAIM, leaseMs: "long", write: "" })],
  [
    "a holder of a megabyte",
    JSON.stringify({ ...CLAIM, holder: "h".repeat(1_000_000), write: "" }),
  ],
  [
    "what takes seventy megabytes",
    JSON.stringify({ ...CLAIM, write: "", more: Array.from({ length: 300_000 }, () => ({})) }),
  ],
])("%s is nobody's lock, and is not read any further", (_what, text) => {
  expect(readLockValue(text)).toEqual({
    holder: "unknown",
    leaseMs: LONGEST_LEASE_MS,
    write: "",
  });
});
