import { Encoder } from "@msgpack/msgpack";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeBody, decodeCounted, encodeJson, encodeMsgpack } from "./body.ts";
import { measureBody } from "./measure-body.ts";

const library = new Encoder({ maxDepth: 200, useBigInt64: true });
const json = (text: string): Uint8Array => Buffer.from(text);
const hex = (digits: string): Uint8Array => Uint8Array.from(Buffer.from(digits, "hex"));
/** What both formats carry. */
const plain = fc
  .jsonValue({ maxDepth: 6 })
  .filter((given) => !/(?<![.\d])\d{16,}(?![.\de])|__proto__/.test(JSON.stringify(given)));
const FORMATS = [
  [encodeMsgpack, "msgpack"],
  [encodeJson, "json"],
] as const;
const STRICT = { maxValues: 100_000, exact: true, wellFormed: true };

describe("a body that would be too much in memory", () => {
  const million = (entry: string): Uint8Array => hex(`dd000f4240${entry.repeat(1_000_000)}`);
  test.each<[string, Uint8Array]>([
    ["a million empty maps", million("80")],
    ["a million empty lists", million("90")],
    ["a million nulls", million("c0")],
    ["50 lists of 20,000 empty maps", hex(`dc0032${`dc4e20${"80".repeat(20_000)}`.repeat(50)}`)],
    ["JSON of 300,000 empty maps", json(`[${"{},".repeat(300_000)}{}]`)],
    ["JSON of 300,000 keys", json(`{${'"":0,'.repeat(150_000)}"":0}`)],
    ["a date for each value", hex(`dd000186a0${"d6ff00000001".repeat(100_000)}`)],
  ])("%s is refused before it is made", (_what, bytes) => {
    const before = process.memoryUsage().heapUsed;
    const type = bytes[0] === 0x5b ? "json" : undefined;
    expect(() => decodeBody(bytes, type)).toThrow("more than 100000 values");
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(24 * 1_048_576);
  });

  test("what is as large as may be is read, in each format, and one more is not", () => {
    const list = (length: number): unknown[] => Array.from({ length }, () => ({}));
    for (const [encode, type] of FORMATS) {
      expect(decodeBody(encode(list(999)), type, 1_000)).toEqual(list(999));
      expect(() => decodeBody(encode(list(1_000)), type, 1_000)).toThrow("more than 1000");
    }
  });

  test("who sends it is told, and what is taken can be read", () => {
    fc.assert(
      fc.property(plain, (given) => {
        for (const [encode, type] of FORMATS) {
          const { values } = decodeCounted(encode(given), type, 1e6);
          const rules = { maxValues: values, exact: false, wellFormed: false };
          expect(encode(given, rules)).toEqual(encode(given));
          expect(() => encode(given, { ...rules, maxValues: values - 1 })).toThrow(
            expect.objectContaining({ code: "payload-too-large" }),
          );
        }
      }),
    );
  });

  test("JSON is counted as its msgpack is", () => {
    fc.assert(
      fc.property(plain, (given) => {
        const text = JSON.stringify(given, undefined, 1);
        const { values } = decodeCounted(json(text), "application/json", 1e6);
        expect(values).toBe(measureBody(library.encode(given), 1e6));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("a number that would be altered in silence", () => {
  test.each<[string, Uint8Array, string]>([
    ["2^53 in msgpack", library.encode({ a: [{ n: 2n ** 53n }] }), "a[0].n"],
    ["-2^53 - 1 in msgpack", library.encode({ n: -(2n ** 53n) - 1n }), "n"],
    ["2^64 - 1 in msgpack", library.encode({ n: 2n ** 64n - 1n }), "n"],
    ["2^53 + 1 in JSON", json('{"x":"a,b]:","a":[1,{"n":9007199254740993}]}'), "a[1].n"],
    ["2^53 in JSON", json('{ "n" : 9007199254740992 }'), "n"],
    ["one of 30 digits below zero", json('{"o":{"n":-123456789012345678901234567890}}'), "o.n"],
  ])("%s is refused, with its place", (_what, bytes, place) => {
    expect(() => decodeBody(bytes, undefined)).toThrow(`${place} is a whole number beyond 2^53`);
  });

  test("a number that is beyond all numbers is refused in JSON", () => {
    expect(() => decodeBody(json('{"a":[0,1e400]}'), undefined)).toThrow("a[1] is beyond");
    expect(() => decodeBody(json(`{"a":${"9".repeat(400)}}`), undefined)).toThrow("a is beyond");
  });

  test.each<[string, unknown]>([
    ["the largest", Number.MAX_SAFE_INTEGER],
    ["the smallest", Number.MIN_SAFE_INTEGER],
    ["a measure", 1e300],
    ["a float as large as an id", 2.5e17 + 32],
    ["a third", 1 / 3],
  ])("%s is read as it was written", (_what, given) => {
    const bytes = new Encoder().encode({ given });
    expect(decodeBody(bytes, undefined)).toEqual({ given });
    expect(decodeBody(encodeMsgpack({ given }), undefined)).toEqual({ given });
  });

  test("an integer of 64 bits that a number holds is read, and 3.0 is 3", () => {
    const bytes = hex("92cf0000000000000003d3fffffffffffffffd");
    expect(decodeBody(bytes, undefined)).toEqual([3, -3]);
    expect(decodeBody(json('{"a":3.0,"b":1e300,"c":9007199254740991}'), undefined)).toEqual({
      a: 3,
      b: 1e300,
      c: Number.MAX_SAFE_INTEGER,
    });
  });

  test.each<[string, unknown, string]>([
    ["a bigint", { order: { amount: 10n } }, "order.amount is a bigint"],
    ["an integer beyond 2^53", { a: [{ id: 2 ** 53 + 2 }] }, "a[0].id is a whole number beyond"],
    ["a Map", { a: new Map([[1, 2]]) }, "a is a Map"],
    ["a Set", [new Set([1])], "[0] is a Set"],
  ])("a producer's %s is refused, with its place", (_what, value, message) => {
    expect(() => encodeMsgpack(value, STRICT)).toThrow(
      expect.objectContaining({
        code: "unserializable-payload",
        message: expect.stringContaining(message) as string,
      }),
    );
  });

  test("1e300 and dates are a producer's to send", () => {
    const value = { measure: 1e300, at: new Date(5), bytes: new Uint8Array(2), none: undefined };
    expect(decodeBody(encodeMsgpack(value, STRICT), undefined)).toEqual({
      measure: 1e300,
      at: new Date(5),
      bytes: new Uint8Array(2),
    });
  });
});
