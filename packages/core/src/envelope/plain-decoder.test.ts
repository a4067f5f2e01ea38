import { Decoder, Encoder, ExtData } from "@msgpack/msgpack";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeBody, MAX_DEPTH } from "./body.ts";
import { measureBody } from "./measure-body.ts";
import { NOT_PLAIN, PlainDecoder } from "./plain-decoder.ts";

const library = { encoder: new Encoder({ maxDepth: 200 }), decoder: new Decoder() };
const MOST = 100_000;
const plain = new PlainDecoder(MAX_DEPTH);

const leaf = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ maxLength: 400 }),
  fc.integer(),
  fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }).map(Number),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.uint8Array({ maxLength: 300 }),
);
const value = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 5 },
    leaf,
    fc.array(tie("any"), { maxLength: 20 }),
    fc.dictionary(fc.string({ maxLength: 40 }), tie("any"), { maxKeys: 20 }),
  ),
})).any;

test("what it reads, the library reads alike", () => {
  fc.assert(
    fc.property(value, (given) => {
      const bytes = library.encoder.encode(given);
      const mine = plain.decode(bytes, MOST);
      if (mine !== NOT_PLAIN) expect(mine).toEqual(library.decoder.decode(bytes));
    }),
    { numRuns: 1_000 },
  );
});

test("ordinary values are plain", () => {
  const given = {
    name: "mail.welcome",
    payload: { to: "zoë@example.org", n: [1, -1, 1.5, 2 ** 40, -(2 ** 40), null, true, false] },
    long: "x".repeat(70_000),
    list: Array.from({ length: 70_000 }, (_, i) => i),
    map: Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`key ${i}`, i])),
    bytes: new Uint8Array(70_000),
    ["a key of more than thirty-one characters"]: 1,
  };
  expect(plain.decode(library.encoder.encode(given), 1_000_000)).toEqual(given);
});

test.each<[string, Uint8Array]>([
  ["an extension", library.encoder.encode({ at: new ExtData(1, new Uint8Array(3)) })],
  ["a time", library.encoder.encode({ at: new Date(0) })],
  ["a key that is a number", new Uint8Array([0x81, 0x01, 0x02])],
  ["a key __proto__", library.encoder.encode(JSON.parse('{"__proto__":1}'))],
  ["text that is no UTF-8", new Uint8Array([0xa1, 0xff])],
  ["nothing", new Uint8Array(0)],
  ["bytes that end too soon", new Uint8Array([0x81, 0xa1, 0x61])],
  ["bytes that go on", new Uint8Array([0x01, 0x02])],
  ["a list that claims too much", new Uint8Array([0xdd, 0xff, 0xff, 0xff, 0xff])],
  ["a map that claims too much", new Uint8Array([0xdf, 0xff, 0xff, 0xff, 0xff])],
  ["an integer beyond 2^53", new Uint8Array([0xcf, 0, 0x20, 0, 0, 0, 0, 0, 1])],
  ["one below", new Uint8Array([0xd3, 0xff, 0xdf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
  ["a head that msgpack doesn't use", new Uint8Array([0xc1])],
])("%s is left to the library", (_what, bytes) => {
  expect(plain.decode(bytes, MOST)).toBe(NOT_PLAIN);
});

test("values are counted as they are counted without making them, to the last", () => {
  fc.assert(
    fc.property(value, (given) => {
      const bytes = library.encoder.encode(given);
      const values = measureBody(bytes, MOST);
      if (plain.decode(bytes, MOST) === NOT_PLAIN) return;
      expect(MOST - plain.room).toBe(values);
      expect(plain.decode(bytes, values)).not.toBe(NOT_PLAIN);
      expect(plain.decode(bytes, values - 1)).toBe(NOT_PLAIN);
      expect(() => measureBody(bytes, values)).not.toThrow();
      expect(() => measureBody(bytes, values - 1)).toThrow("more than");
    }),
    { numRuns: 1_000 },
  );
});

test.each([0, 1, 2, 100])("levels count alike, %i beyond the deepest", (beyond) => {
  let nested: unknown = 1;
  for (let depth = 1; depth < MAX_DEPTH + beyond; depth += 1)
    nested = depth % 2 === 0 ? { a: nested } : [nested];
  const bytes = library.encoder.encode(nested);
  if (beyond === 0) expect(plain.decode(bytes, MOST)).toEqual(nested);
  else {
    expect(plain.decode(bytes, MOST)).toBe(NOT_PLAIN);
    expect(() => decodeBody(bytes, undefined)).toThrow("deeper than");
  }
});

test("whatever the bytes, it answers what the library answers or leaves them to it", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => {
      const mine = plain.decode(bytes, MOST);
      if (mine !== NOT_PLAIN) expect(mine).toEqual(library.decoder.decode(bytes));
    }),
    { numRuns: 5_000 },
  );
});

test("keys that share a place of the cache are told apart", () => {
  const keys = Array.from({ length: 2_000 }, (_, i) => `k${i}`);
  for (const key of [...keys, ...keys])
    expect(plain.decode(library.encoder.encode({ [key]: 1 }), MOST)).toEqual({ [key]: 1 });
});
