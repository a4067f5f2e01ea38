import { expect, test } from "vitest";
import { readJson, requireReadable } from "./read-json.ts";

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
  expect(() => requireReadable(JSON.stringify(large), large)).toThrow(
    expect.objectContaining({ code: "payload-too-large" }),
  );
  expect(() => readJson(Buffer.from("{"))).toThrow();
});
