import { expect, test } from "vitest";
import { MillraceError } from "../errors.ts";
import { serverAddresses } from "./connection-options.ts";

test.each([
  ["localhost:4222", ["localhost:4222"], undefined],
  ["nats://a:1, tls://b:2", ["nats://a:1", "tls://b:2"], undefined],
  [["nats://[::1]:4222"], ["nats://[::1]:4222"], undefined],
  ["NATS://u:p@a:1", ["nats://a:1"], { kind: "password", user: "u", password: "p" }],
  ["nats://t0ken@a:1", ["nats://a:1"], { kind: "token", token: "t0ken" }],
  [
    "nats://u:p%40ss@a:1,nats://u:p%40ss@b:1",
    ["nats://a:1", "nats://b:1"],
    { kind: "password", user: "u", password: "p@ss" },
  ],
  ["u:p@ss@a:1", ["a:1"], { kind: "password", user: "u", password: "p@ss" }],
])("%j", (servers, urls, auth) => {
  expect(serverAddresses({ servers })).toEqual({ urls, auth });
});

test("credentials given apart win over the URL's", () => {
  const auth = { kind: "token", token: "given" } as const;
  expect(serverAddresses({ servers: "nats://u:p@a:1", auth })).toEqual({
    urls: ["nats://a:1"],
    auth,
  });
});

test.each([
  ["half of a password", "nats://ada:s3cr3t,rest@host:4222"],
  ["half of a password without a scheme", "ada:s3cr3t,rest@host"],
  ["half of one in digits", "nats://ada:4711,rest@host"],
  ["half of one in digits without a scheme", "ada:4711,rest@localhost:1"],
  ["half of one behind another server", "a:1,ada:4711,rest@localhost:1"],
  ["half of one before another server", "ada:4711,rest@localhost:1,nats://b:1"],
  ["a third of one", "nats://ada:47,s3cr3t,rest@host"],
  ["a % that begins no byte", "nats://ada:50%offs3cr3t@host"],
  ["a % in a token", "nats://50%offs3cr3t@host"],
])("%s is refused, and not shown", (_what, servers) => {
  const refused = refusalOf(() => serverAddresses({ servers }));
  expect(refused).toMatchObject({ code: "invalid-option" });
  expect(refused.message).toMatch(/%2C|%25/);
  expect(refused.message).not.toMatch(/s3cr3t|4711|rest|ada/);
});

function refusalOf(act: () => unknown): MillraceError {
  try {
    act();
  } catch (error) {
    if (MillraceError.is(error)) return error;
    throw error;
  }
  throw new Error("it was taken");
}
