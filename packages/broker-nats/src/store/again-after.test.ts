import { MillraceError } from "@millrace/core";
import { expect, test } from "vitest";
import { againAfterMs } from "./again-after.ts";

const after = (error: unknown) => [1, 2, 3, 4, 5, 600].map((count) => againAfterMs(error, count));

test.each(["queue-full", "machine-mismatch", "machine-unreadable"] as const)(
  "what waits for a machine that is stuck (%s) leaves room for others of its name",
  (code) => {
    expect(after(new MillraceError(code, "no"))).toEqual([
      1_000, 2_000, 4_000, 8_000, 10_000, 10_000,
    ]);
  },
);

test("any other trouble is over after a second, or is met again", () => {
  for (const error of [new MillraceError("publish-timeout", "no"), new TypeError("no")])
    expect(new Set(after(error))).toEqual(new Set([1_000]));
});
