import { expect, test } from "vitest";
import { requireSubject } from "./subject.ts";

test.each(["orders", "orders.7.paid", "Überweisung.7", "a-b_c:d.e", "x".repeat(256)])(
  "%s is a subject",
  (subject) => {
    expect(requireSubject(subject)).toBe(subject);
  },
);

test.each([
  ["nothing", ""],
  ["a wildcard", "orders.*"],
  ["the rest", "orders.>"],
  ["a space", "orders.a b"],
  ["a line break", "orders\r\nPUB x 0"],
  ["an empty token", "orders..paid"],
  ["a dot at its end", "orders."],
  ["too much", "x".repeat(257)],
  ["the server's API", "$JS.API.STREAM.PURGE.orders"],
  ["an inbox", "_INBOX.abc"],
  ["a number", 7],
])("%s is refused", (_, subject) => {
  expect(() => requireSubject(subject)).toThrow(expect.objectContaining({ code: "invalid-name" }));
});
