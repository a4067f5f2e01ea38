import { expect, test } from "vitest";
import { serverAddresses } from "./connection-options.ts";

test.each([
  ["localhost:4222", ["localhost:4222"], undefined],
  ["nats://a:1, tls://b:2", ["nats://a:1", "tls://b:2"], undefined],
  [["nats://[::1]:4222"], ["nats://[::1]:4222"], undefined],
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
