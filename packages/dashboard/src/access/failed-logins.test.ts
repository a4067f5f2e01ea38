import { SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { FailedLogins } from "./failed-logins.ts";

function failing(logins: FailedLogins, address: string, times: number): void {
  for (let n = 0; n < times; n += 1) logins.add(address);
}

test("ten wrong passwords lock their address until a minute after the first, and no other", async () => {
  const clock = new SimulatedClock();
  const logins = new FailedLogins(clock);
  failing(logins, "192.0.2.1", 9);
  expect(logins.lockedMs("192.0.2.1")).toBe(0);
  await clock.advance("10s");
  failing(logins, "192.0.2.1", 1);
  expect(logins.lockedMs("192.0.2.1")).toBe(50_000);
  expect(logins.lockedMs("192.0.2.2")).toBe(0);
  await clock.advance("50s");
  expect(logins.lockedMs("192.0.2.1")).toBe(0);
  failing(logins, "192.0.2.1", 1);
  expect(logins.lockedMs("192.0.2.1")).toBe(0);
});

test("of more addresses than anybody has, the oldest are forgotten", () => {
  const logins = new FailedLogins(new SimulatedClock());
  failing(logins, "first", 10);
  for (let n = 0; n < 10_000; n += 1) logins.add(`other-${n}`);
  expect(logins.lockedMs("first")).toBe(0);
});

test.each([
  ["2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true],
  ["2001:DB8:1:2:0::1", "2001:db8:1:2::2", true],
  ["2001:db8::1", "2001:db8:0:0:1::", true],
  ["fe80::1%eth0", "fe80::2%eth0", true],
  ["2001:db8:1:2::1", "2001:db8:1:3::1", false],
  ["::1", "2001:db8::1", false],
  ["::ffff:192.0.2.1", "::ffff:192.0.2.2", false],
  ["64:ff9b::192.0.2.1", "64:ff9b::192.0.2.2", false],
  ["192.0.2.1", "192.0.2.2", false],
])("wrong passwords of %s count for %s: %j", (address, other, isOne) => {
  const logins = new FailedLogins(new SimulatedClock());
  failing(logins, address, 10);
  expect(logins.lockedMs(address)).toBe(60_000);
  expect(logins.lockedMs(other)).toBe(isOne ? 60_000 : 0);
});
