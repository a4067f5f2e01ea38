import { expect, test } from "vitest";
import { type Sent, TrustedProxies, valuesOf } from "./trusted-proxies.ts";

const sent = (remoteAddress: string | undefined, ...forwarded: readonly string[]): Sent => ({
  socket: { remoteAddress },
  rawHeaders: forwarded.flatMap((value) => ["X-Forwarded-For", value]),
});

test.each([
  ["an address", ["192.0.2.1"], "192.0.2.1", true],
  ["its neighbour", ["192.0.2.1"], "192.0.2.2", false],
  ["in a network", ["10.0.0.0/8"], "10.255.0.1", true],
  ["outside of it", ["10.0.0.0/8"], "11.0.0.1", false],
  ["the same, as a listener of both families says it", ["10.0.0.0/8"], "::ffff:10.0.0.1", true],
  ["outside, said so", ["10.0.0.0/8"], "::ffff:11.0.0.1", false],
  ["IPv6", ["fd00::/8"], "fd00::17", true],
  ["another IPv6", ["fd00::/8"], "fe80::17", false],
  ["nobody that is known", ["10.0.0.0/8"], undefined, false],
  ["no address", ["10.0.0.0/8"], "10.0.0.1.evil.example", false],
  ["where none is trusted", [], "127.0.0.1", false],
])("a proxy is known by its address: %s", (_what, networks, address, isKnown) => {
  expect(new TrustedProxies(networks).sent(sent(address))).toBe(isKnown);
});

const chain = new TrustedProxies(["10.0.0.0/8", "fd00::/8"]);

test.each([
  ["nobody says who is before it", sent("10.0.0.1"), "10.0.0.1"],
  ["a proxy says who asks", sent("10.0.0.1", "192.0.2.7"), "192.0.2.7"],
  ["a stranger's word of itself", sent("192.0.2.9", "192.0.2.7"), "192.0.2.9"],
  ["made up, and the proxy added", sent("10.0.0.1", "198.51.100.1, 192.0.2.7"), "192.0.2.7"],
  ["made up in a line of its own", sent("10.0.0.1", "198.51.100.1", "192.0.2.7"), "192.0.2.7"],
  ["two proxies", sent("10.0.0.1", "192.0.2.7, 10.0.0.2"), "192.0.2.7"],
  ["a proxy's name, made up", sent("10.0.0.1", "10.0.0.9, 192.0.2.7"), "192.0.2.7"],
  ["with a port", sent("10.0.0.1", "192.0.2.7:50123"), "192.0.2.7"],
  ["IPv6 with a port", sent("fd00::1", "[2001:db8::7]:50123"), "2001:db8::7"],
  ["IPv6 without", sent("fd00::1", "2001:db8::7"), "2001:db8::7"],
  ["no address", sent("10.0.0.1", "unknown"), "10.0.0.1"],
  ["nothing in it", sent("10.0.0.1", ""), "10.0.0.1"],
  ["all of them trusted", sent("10.0.0.1", "10.0.0.3, 10.0.0.2"), "10.0.0.3"],
])("who asks is told by proxies alone: %s", (_what, request, address) => {
  expect(chain.addressOf(request)).toBe(address);
});

test.each(["proxy.local", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8/8", "10.0.0.0/-1", "fd00::/129"])(
  "what is no network is refused: %s",
  (network) => {
    expect(() => new TrustedProxies([network])).toThrow(
      expect.objectContaining({ code: "invalid-option" }),
    );
  },
);

test.each(["0.0.0.0/0", "::/0"])("nobody trusts everybody by mistake: %s", (network) => {
  expect(() => new TrustedProxies([network])).toThrow(/would trust everybody/);
});

test("a header that was sent twice is seen twice, however it is written", () => {
  const rawHeaders = ["X-User", "ada", "Host", "x-user", "x-user", "bob"];
  expect(valuesOf({ rawHeaders, socket: {} }, "x-user")).toEqual(["ada", "bob"]);
});
