import { expect, test } from "vitest";
import { readJson, writeJson } from "./read-json.ts";

const bytesOf = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const maps = (count: number): unknown => Array.from({ length: count }, () => ({}));

test("what is JSON and not too much is read", () => {
  expect(readJson(bytesOf({ a: [1] }))).toEqual({ a: [1] });
  expect(readJson(bytesOf(["x".repeat(500_000)]))).toEqual(["x".repeat(500_000)]);
  expect(readJson(bytesOf(maps(99_000)))).toHaveLength(99_000);
});

test("what has too many values is refused on both sides", () => {
  const large = maps(100_001);
  expect(() => readJson(bytesOf(large))).toThrow(/100,?000/);
  expect(() => writeJson(JSON.stringify(large))).toThrow(
    expect.objectContaining({ code: "payload-too-large" }),
  );
  expect(() => readJson(Buffer.from("{"))).toThrow();
});

const nested = (depth: number): unknown => (depth === 0 ? {} : [nested(depth - 1)]);

/** A document that can't be read would be shown as absent. */
test.each([
  ["in letters of one byte", "x"],
  ["in letters of two bytes", "ж"],
])("what is written %s is read as it was, however large it is", (_name, letter) => {
  const values = {
    nanoseconds: 1_764_400_000_000_000_000,
    nested: nested(500),
    ...(JSON.parse('{"own":{"__proto__":1}}') as object),
  };
  for (const length of [10, 60_000, 200_000]) {
    const text = JSON.stringify({ text: letter.repeat(length), ...values });
    expect(JSON.stringify(readJson(writeJson(text)))).toBe(text);
  }
});

test("what is counted are bytes, not letters: too many values beside wide letters are refused", () => {
  const text = JSON.stringify(["€".repeat(40_000), maps(99_999)]);
  expect(() => writeJson(text)).toThrow(expect.objectContaining({ code: "payload-too-large" }));
});
