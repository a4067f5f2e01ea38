import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { errorFingerprint } from "./error-fingerprint.ts";
import { recordError } from "./recorded-error.ts";

const asIs = (text: string): string => text;
const of = (message: string, stack?: string, type = "Error"): string =>
  errorFingerprint({ type, message, ...(stack === undefined ? {} : { stack }) }, asIs).fingerprint;
const patternOf = (message: string): string =>
  errorFingerprint({ type: "Error", message }, asIs).pattern;

test("an error's fingerprint is the same in every process", () => {
  const stack = "CardDeclined: refused 7\n    at charge (file:///srv/shop/billing.ts:21:11)";
  expect(errorFingerprint({ type: "CardDeclined", message: "refused 7", stack }, asIs)).toEqual({
    fingerprint: "b922b10f1cf4",
    type: "CardDeclined",
    pattern: "refused *",
    frame: "charge (billing.ts)",
  });
});

describe("the message without what varies", () => {
  test.each([
    ["Order 17 not found", "Order * not found"],
    ["order-7 is INV-2030-17", "order-* is INV-*-*"],
    ["no customer cus_NffrFeUfNV2Hib", "no customer cus_*"],
    ["V1StGXR8_Z5jdHi6B-myT is gone", "* is gone"],
    ["123e4567-e89b-12d3-a456-426614174000 is gone", "* is gone"],
    ["deadbeef or 0xff or a0b1c2d3", "* or * or *"],
    ["timeout after 1.5s", "timeout after *"],
    ["timeout after 900 ms", "timeout after *"],
    ["off by -5.2e-7 (3%)", "off by * (*)"],
    [`can't read user's 'x' of "a \\"b\\""`, "can't read user's * of *"],
    ["`select 1` and “this” and «that»", "* and * and *"],
    ["a quote that was cut: 'lorem ipsum…", "a quote that was cut: *"],
    ["connect ECONNREFUSED 127.0.0.1:5432", "connect ECONNREFUSED *"],
    ["connect ECONNREFUSED ::1:5432", "connect ECONNREFUSED *"],
    ["connect ECONNREFUSED [2001:db8::1]:5432", "connect ECONNREFUSED *"],
    ["GET https://example.com/a?b=c failed", "GET * failed"],
    ["mail to ada@example.com bounced", "mail to * bounced"],
    ["not before 2030-01-01T12:00:00.000Z", "not before *"],
    ["not before Tue Jan 01 2030 12:00:00 GMT+0100 (CET)", "not before *"],
    ["not before Fri, 04 Jan 2030 12:00:00 GMT", "not before *"],
    ["missing: 1, 2, 3", "missing: *"],
    ["missing: 1, 2", "missing: *"],
    ["Foo::bar  is\n no function", "Foo::bar is no function"],
    ["password *** refused", "password *** refused"],
    ["", ""],
  ])("%s: %s", (message, pattern) => expect(patternOf(message)).toBe(pattern));

  test("is bounded, and whole text", () => {
    expect(patternOf("word ".repeat(1_000))).toHaveLength(200);
    expect(patternOf("😀".repeat(99) + "a😀").isWellFormed()).toBe(true);
  });

  test("takes no longer than its length allows, whatever the message", () => {
    const began = performance.now();
    for (const bit of ['"', "'", "\\", "a-", "0:", "a@", "1.", "_", "://", "* ", "Mon "])
      patternOf(bit.repeat(1_024 / bit.length));
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});

describe("the frame", () => {
  const frameOf = (message: string, ...lines: readonly string[]): string | undefined =>
    errorFingerprint(
      { type: "Error", message, stack: [`Error: ${message}`, ...lines].join("\n") },
      asIs,
    ).frame;

  test.each([
    ["    at charge (/srv/shop/src/billing.ts:21:11)", "charge (billing.ts)"],
    ["    at async charge (file:///srv/shop/billing.ts:21:11)", "charge (billing.ts)"],
    ["    at file:///srv/shop/billing.ts?v=17:21:11", "billing.ts"],
    [String.raw`    at charge (C:\shop\billing.js:21:11)`, "charge (billing.js)"],
    ["    at Bank.charge [as pay] (/srv/billing.js:1:1)", "Bank.charge (billing.js)"],
    ["    at charge (/srv/worker-D8fkQz3a.mjs:1:1)", "charge (worker-*.mjs)"],
    ["    at charge (/srv/chunk-5XQZ3K2L.js:1:1)", "charge (chunk-*.js)"],
    ["    at charge (/srv/mail-handlers.js:1:1)", "charge (mail-handlers.js)"],
  ])("%s: %s", (line, frame) => expect(frameOf("refused", line)).toBe(frame));

  test("is the first that is the application's own", () => {
    expect(
      frameOf(
        "refused",
        "    at JSON.parse (<anonymous>)",
        "    at Socket.emit (node:events:519:28)",
        "    at query (/srv/node_modules/pg/lib/client.js:5:1)",
        "    at async Promise.all (index 0)",
        "    at charge (/srv/billing.js:21:11)",
        "    at other (/srv/other.js:1:1)",
      ),
    ).toBe("charge (billing.js)");
    expect(frameOf("refused", "    at Socket.emit (node:events:519:28)")).toBeUndefined();
  });

  test("is not taken from a message that looks like a stack", () => {
    const message = "refused\n    at evil (evil.js:1:1)";
    expect(frameOf(message, "    at charge (/srv/billing.js:21:11)")).toBe("charge (billing.js)");
  });

  test("of what was thrown here is this file", () => {
    const error = recordError(new Error("refused"));
    expect(errorFingerprint(error, asIs).frame).toContain("error-fingerprint.test.ts");
  });
});

test("what is masked doesn't tell by its fingerprint what it is", () => {
  const mask = (text: string): string => text.replaceAll(/swordfish|opensesame/g, "***");
  const [one, other] = ["swordfish", "opensesame"].map((word) =>
    errorFingerprint({ type: "Error", message: `password ${word} refused` }, mask),
  );
  expect(one).toEqual(other);
  expect(one?.pattern).toBe("password *** refused");
});

const stackIn = (file: string, called: string, line: number): string =>
  `Error: x\n    at ${called} (/srv/${line}/${file}:${line}:1)`;
const number = fc.oneof(fc.integer(), fc.double({ noDefaultInfinity: true, noNaN: true }));
const word = fc.constantFrom("refused", "order", "not found", "can't", "after", "bank:", "(of)");
const called = fc.constantFrom("charge", "send", "Bank.pay");
const file = fc.constantFrom("billing.ts", "mail.js", "index.mjs");

test("the same error with other numbers, ids, lines and folders has the same (property)", () => {
  const what = fc.array(fc.tuple(word, number, number, fc.uuid(), fc.uuid()), { minLength: 1 });
  fc.assert(
    fc.property(what, called, file, fc.nat(), fc.nat(), (parts, by, name, line, other) => {
      const one = parts.map(([text, n, , id]) => `${text} ${n} ${id}`).join(" ");
      const two = parts.map(([text, , n, , id]) => `${text} ${n} ${id}`).join(" ");
      expect(of(one, stackIn(name, by, line))).toBe(of(two, stackIn(name, by, other)));
    }),
  );
});

test("another type, message or frame has another (property)", () => {
  const type = fc.constantFrom("Error", "TypeError", "CardDeclined");
  const words = fc.array(word, { minLength: 1, maxLength: 5 }).map((all) => all.join(" "));
  const error = fc.tuple(type, words, called, file);
  fc.assert(
    fc.property(error, error, (one, two) => {
      const [a, b] = [one, two].map(([name, message, by, where]) =>
        of(message, stackIn(where, by, 1), name),
      );
      expect(a === b).toBe(JSON.stringify(one) === JSON.stringify(two));
    }),
  );
});

test("anything that was thrown has one (property)", () => {
  fc.assert(
    fc.property(fc.anything(), fc.string(), (thrown, stack) => {
      const { fingerprint, pattern } = errorFingerprint({ ...recordError(thrown), stack }, asIs);
      expect(fingerprint).toMatch(/^[0-9a-f]{12}$/);
      expect(pattern.length).toBeLessThanOrEqual(200);
    }),
  );
});
