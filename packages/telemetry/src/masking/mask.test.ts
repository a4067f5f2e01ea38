import { expect, test } from "vitest";
import { isSecretKey, mask } from "./mask.ts";

test.each([
  "password",
  "Password",
  "dbPassword",
  "DB_PASSWORD",
  "token",
  "refresh_token",
  "accessToken",
  "secret",
  "client-secret",
  "authorization",
  "Authorization",
  "apiKey",
  "api_key",
  "X-API-Key",
  "privateKey",
  "cookie",
  "pin",
  "cardNumber",
])("%s is a secret's key", (key) => expect(isSecretKey(key)).toBe(true));

test.each(["user", "to", "path", "key", "spinning", "opinion", "address", "keyboard"])(
  "%s is not",
  (key) => {
    expect(isSecretKey(key)).toBe(false);
  },
);

test("masks at any depth, in lists too, and leaves the value itself alone", () => {
  const value = {
    to: "ada",
    auth: [{ password: "x", note: 1 }],
    token: { a: 1 },
    bytes: new Uint8Array(3),
    nothing: null,
  };
  const before = structuredClone(value);
  expect(mask(value)).toEqual({
    to: "ada",
    auth: [{ password: "***", note: 1 }],
    token: "***",
    bytes: "(3 bytes)",
    nothing: null,
  });
  expect(value).toEqual(before);
});

test("survives nesting deeper than any body may have, and plain values", () => {
  let deep: unknown = "end";
  for (let i = 0; i < 10_000; i += 1) deep = { deep };
  expect(JSON.stringify(mask(deep))).toContain("(too deep)");
  expect([mask(1), mask("password"), mask(undefined), mask(null)]).toEqual([
    1,
    "password",
    undefined,
    null,
  ]);
});

test("a key of __proto__ stays a plain key", () => {
  const masked = mask(JSON.parse('{"__proto__": {"token": "x"}}')) as object;
  expect(Object.getPrototypeOf(masked)).toBe(Object.prototype);
  expect(JSON.stringify(masked)).toBe('{"__proto__":{"token":"***"}}');
});
