import { expect, test } from "vitest";
import { checkedHeaders } from "./enqueue-options.ts";

test.each([
  [
    "two names that handlers see as one",
    { "X-Tenant": "a", "x-tenant": "b" },
    /X-Tenant and x-tenant are one name/,
  ],
  ["half a character", { "x-a": "\uD83D" }, /x-a has half a character/],
  ["a line break", { "x-a": "s3cret\r\ny: 1" }, /x-a must be a string without line breaks/],
  ["a name of the server's", { "Nats-Rollup": "all" }, /Nats-Rollup has a meaning/],
])("%s is refused, and the value isn't shown", (_says, headers, message) => {
  const checked = () => checkedHeaders(headers);
  expect(checked).toThrow(message);
  expect(checked).not.toThrow(/s3cret/);
});

test("others are taken as they are", () => {
  const headers = { "x-tenant": "ä 😀", "x-tenant-2": "" };
  expect(checkedHeaders(headers)).toBe(headers);
});
