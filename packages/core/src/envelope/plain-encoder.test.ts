import { Encoder } from "@msgpack/msgpack";
import fc from "fast-check";
import { expect, test } from "vitest";
import { PlainEncoder } from "./plain-encoder.ts";

const DEPTH = 64;
const library = new Encoder({ ignoreUndefined: true, maxDepth: DEPTH });
const plain = new PlainEncoder(DEPTH);

test("writes what the library writes, or leaves the value to it", () => {
  const value = fc.anything({
    withNullPrototype: true,
    withDate: true,
    withTypedArray: true,
    withObjectString: true,
    maxDepth: 5,
    key: fc.string({ unit: "grapheme" }),
  });
  let compared = 0;
  fc.assert(
    fc.property(value, (given) => {
      const mine = plain.encode(given);
      if (mine === undefined) return;
      compared += 1;
      expect(mine).toEqual(library.encode(given));
    }),
    { numRuns: 2_000 },
  );
  expect(compared).toBeGreaterThan(200);
});

const ofLength = (length: number): string => "x".repeat(length);
test.each<[string, unknown]>([
  ...[0, 23, 24, 25, 31, 32, 255, 256, 65_535, 65_536].map((length): [string, unknown] => [
    `ASCII text of ${length}`,
    ofLength(length),
  ]),
  ...[5, 10, 16, 20, 31, 90, 128, 40_000].map((length): [string, unknown] => [
    `text of ${length} beyond ASCII`,
    "ü€😀".repeat(length),
  ]),
  ["a late umlaut", `${ofLength(20)}ü`],
  ...[0, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER].map(
    (count): [string, unknown] => [`the number ${count}`, count],
  ),
  ...[0.5, -0.5, Number.NaN, Infinity, 2 ** 60, -0].map((count): [string, unknown] => [
    `the number ${count}`,
    count,
  ]),
  ...[1, 31, 32, 33, 127, 128, 129, 32_768, 32_769, 2 ** 31, 2 ** 31 + 1, 2 ** 40, 2 ** 53 - 1].map(
    (count): [string, unknown] => [`the number -${count}`, -count],
  ),
  ...[15, 16, 70_000].map((length): [string, unknown] => [
    `a list of ${length}`,
    Array.from({ length }, (_, i) => i),
  ]),
  ["a map of 16", Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`k${i}`, i]))],
  ["undefined in a map and in a list", { a: undefined, b: [undefined, 1] }],
  ["nothing", null],
])("%s", (_title, value) => {
  const mine = plain.encode(value);
  if (Array.isArray(value) && value.length > 65_535) expect(mine).toBeUndefined();
  else expect(mine).toEqual(library.encode(value));
});

test.each<[string, unknown]>([
  ["a date", new Date(0)],
  ["bytes", new Uint8Array(3)],
  ["a bigint", 1n],
  ["a function", () => 1],
  ["a class's own", Object.create({ currency: "EUR" }) as object],
  ["a map of such", { deep: [new Map()] }],
])("%s is left to the library", (_title, value) => {
  expect(plain.encode(value)).toBeUndefined();
});

test("what nests too deep is left to the library, which refuses it", () => {
  const nest = (levels: number): unknown => (levels === 1 ? 1 : [nest(levels - 1)]);
  expect(plain.encode(nest(DEPTH))).toEqual(library.encode(nest(DEPTH)));
  expect(plain.encode(nest(DEPTH + 1))).toBeUndefined();
});

test("bytes that were taken stay as they are", () => {
  const taken = Array.from({ length: 2_000 }, (_, n) =>
    plain.encode({ n, text: ofLength(n % 300) }),
  );
  taken.forEach((bytes, n) =>
    expect(bytes).toEqual(library.encode({ n, text: ofLength(n % 300) })),
  );
});

test("a value that is not plain leaves nothing behind in the next one", () => {
  expect(plain.encode({ a: ofLength(5_000), b: 1n })).toBeUndefined();
  expect(plain.encode({ a: 1 })).toEqual(library.encode({ a: 1 }));
});

test("a field that all objects were given is no field of a value", () => {
  const prototype: object = Object.getPrototypeOf({});
  Object.defineProperty(prototype, "given", {
    value: 1,
    enumerable: true,
    configurable: true,
  });
  const encoded = plain.encode({ a: 1 });
  Reflect.deleteProperty(prototype, "given");
  expect(encoded).toBeUndefined();
  expect(plain.encode({ a: 1 })).toEqual(library.encode({ a: 1 }));
});

test("a large value leaves no large buffer behind the small ones that come after it", () => {
  const large = "x".repeat(1_000_000);
  // A date is left to the library, after the text was written.
  for (const before of [large, [large, new Date(0)], Array.from({ length: 20 }, () => large)]) {
    const encoder = new PlainEncoder(DEPTH);
    const first = encoder.encode(before);
    const small = [1, 2, 3].map((n) => encoder.encode({ n }));
    for (const bytes of small) expect(bytes?.buffer.byteLength).toBeLessThanOrEqual(65_536);
    expect(small).toEqual([1, 2, 3].map((n) => library.encode({ n })));
    if (first !== undefined) expect(first).toEqual(library.encode(before));
  }
});

test("what changes while it is written is left to the library", () => {
  expect(plain.encode({ outer: countedOnce() })).toBeUndefined();
});

/** Says on the first look that there is something, and on the second that there is nothing. */
function countedOnce(): object {
  let looks = 0;
  return {
    get a(): number | undefined {
      looks += 1;
      return looks === 1 ? 1 : undefined;
    },
  };
}
