import { expect, test } from "vitest";
import {
  cancelReason,
  cancellationKey,
  cancellationKeys,
  readCancellation,
} from "./cancellation.ts";

test("any document cancels, whatever it says", () => {
  for (const value of [null, undefined, 7, "text", [], {}, { reason: 7, createdAt: "yesterday" }])
    expect(readCancellation(value)).toEqual({ reason: "no reason given" });
  const whole = { reason: "user left", createdAt: 1, at: 2 };
  expect(readCancellation({ ...whole, more: true })).toEqual(whole);
});

test("a reason is never empty and never too long to be shown", () => {
  expect(cancelReason("")).toBe("no reason given");
  expect(cancelReason(undefined)).toBe("no reason given");
  expect(cancelReason("x".repeat(5_000))).toHaveLength(1_000);
});

test("a job's key holds its queue, because an id stands for a job in each", () => {
  expect(cancellationKey({ queue: "mail", id: "a:1" })).toBe("mail.a:1");
});

test("each creation of an id has a key of its own, beside the one of whichever job comes", () => {
  const job = { queue: "mail", id: "a:1", createdAt: 7 };
  expect(cancellationKey(job, 7)).toBe("mail.a:1.7");
  expect(cancellationKeys(job)).toEqual(["mail.a:1.7", "mail.a:1"]);
});
