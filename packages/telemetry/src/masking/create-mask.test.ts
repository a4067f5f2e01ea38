import fc from "fast-check";
import { expect, test } from "vitest";
import { mask } from "./create-mask.ts";
import { isSecretKey } from "./secret-keys.ts";

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

test("texts anywhere in a value are searched too, and what JSON has no form for gets one", () => {
  const shared = { url: "postgres://a:b@c/d" };
  expect(
    mask({
      note: "Bearer c3VwZXI0c2VjcmV0",
      list: [shared, shared],
      card: 4_111_111_111_111_111,
      big: 10n,
      map: new Map([["password", "x"]]),
      set: new Set(["a"]),
      link: new URL("https://u:p@h/"),
    }),
  ).toEqual({
    note: "Bearer ***",
    list: [{ url: "postgres://a:***@c/d" }, { url: "postgres://a:***@c/d" }],
    card: "***",
    big: "10",
    map: { password: "***" },
    set: ["a"],
    link: "https://u:***@h/",
  });
});

test("counters, switches and nothing stay under a secret's key", () => {
  const value = { token: 17, maxTokens: 4_096, password: null, secret: undefined, cookie: true };
  expect(mask(value)).toEqual(value);
  expect(mask({ pin: 1_234, token: "17" })).toEqual({ pin: "***", token: "***" });
});

test("an error is taken apart, with its cause and its fields", () => {
  const error = Object.assign(new TypeError("GET /?token=abc", { cause: new Error("pwd=x") }), {
    config: { headers: { authorization: "Bearer x" } },
  });
  const masked = mask(error);
  expect(masked).toMatchObject({
    type: "TypeError",
    message: "GET /?token=***",
    cause: { message: "pwd=***" },
    config: { headers: { authorization: "***" } },
  });
  expect(JSON.stringify(masked)).not.toContain("abc");
});

test("a toJSON is told its key, and a boxed value is what is in its box, as in JSON", () => {
  const named = () => ({ toJSON: (key: string) => `at ${key.toUpperCase()}` });
  const boxes = [Object("pwd=x"), Object(7), Object(true), Object(1n)] as unknown[];
  expect(mask({ a: named(), list: [[named()], new Set([named()])], boxes })).toEqual({
    a: "at A",
    list: [["at 0"], ["at 0"]],
    boxes: ["pwd=***", 7, true, "1"],
  });
  expect(mask(named())).toBe("at ");
});

test("the errors of an AggregateError are taken apart too", () => {
  expect(mask(new AggregateError([new Error("pwd=x")], "many"))).toMatchObject({
    type: "AggregateError",
    errors: [{ message: "pwd=***" }],
  });
});

test("what holds itself, throws when read or is made of the same parts a million times ends", () => {
  const self: Record<string, unknown> = {};
  self["self"] = self;
  expect(mask(self)).toEqual({ self: "(circular)" });
  expect(
    mask({
      get trap(): never {
        throw new Error("no");
      },
      n: 1,
    }),
  ).toEqual({ trap: "(unreadable)", n: 1 });
  let tree: unknown = "leaf";
  for (let level = 0; level < 50; level += 1) tree = [tree, tree];
  expect(mask(tree)).toHaveLength(2);
});

test("keys of one's own hide whatever they hold", () => {
  expect(
    mask({ IBAN: "x", dateOfBirth: 1, other: 2 }, { keys: ["iban", "date-of-birth"] }),
  ).toEqual({ IBAN: "***", dateOfBirth: "***", other: 2 });
});

const json = fc.jsonValue({ maxDepth: 4 });

test("any JSON keeps its shape, is not changed, and is masked only once", () => {
  fc.assert(
    fc.property(json, (value) => {
      const before = structuredClone(value);
      const masked = mask(value);
      expect(value).toEqual(before);
      expect(Array.isArray(masked)).toBe(Array.isArray(value));
      expect(mask(masked)).toEqual(masked);
    }),
  );
});

test("a secret under a secret's key is found nowhere in the copy, however deep it lies", () => {
  const secret = "correct horse battery";
  const path = fc.array(fc.oneof(fc.constant(0), fc.stringMatching(/^[a-z]{1,8}$/)), {
    maxLength: 8,
  });
  const key = fc.constantFrom("password", "api_key", "X-Auth-Token", "clientSecret", "Cookie");
  fc.assert(
    fc.property(path, key, json, (steps, name, beside) => {
      let value: unknown = { [name]: secret, beside };
      for (const step of steps) value = step === 0 ? [beside, value] : { [step]: value };
      expect(JSON.stringify(mask(value))).not.toContain(secret);
    }),
  );
});
