import { expect, test } from "vitest";
import { hostRefusal, LOOPBACK_HOSTS } from "./request-check.ts";

test.each([
  ["localhost:8087", true],
  ["127.0.0.1", true],
  ["[::1]:8087", true],
  ["LOCALHOST:1", true],
  ["evil.example", false],
  ["evil.example:8087", false],
  ["localhost.evil.example", false],
  ["127.0.0.1.evil.example:8087", false],
  ["localhost:8087@evil.example", false],
  ["", false],
  [null, false],
])("on loopback the host %j is let in: %j", (host, isLetIn) => {
  expect(hostRefusal(host, LOOPBACK_HOSTS) === undefined).toBe(isLetIn);
});

test("where no hosts are named, authorize alone decides", () => {
  expect(hostRefusal("jobs.example", undefined)).toBeUndefined();
});
