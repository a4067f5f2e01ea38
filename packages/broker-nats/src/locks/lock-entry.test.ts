import { LONGEST_LEASE_MS } from "@millrace/core";
import { expect, test } from "vitest";
import { lockValue, readLockValue } from "./lock-entry.ts";

const CLAIM = { holder: "node-1", leaseMs: 30_000 };

test("a lock is read as it was written", () => {
  const value = lockValue(CLAIM, "w");
  expect(readLockValue(JSON.stringify(value))).toEqual(value);
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
