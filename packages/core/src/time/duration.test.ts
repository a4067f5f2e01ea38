import { describe, expect, test } from "vitest";
import { exactMs, formatMs, formatSeconds, toMs } from "./duration.ts";

describe("toMs", () => {
  test.each<[number | string, number]>([
    [0, 0],
    [1_500, 1_500],
    [1.4, 1],
    ["0ms", 0],
    ["250ms", 250],
    ["30s", 30_000],
    ["1.5h", 5_400_000],
    ["3m", 180_000],
    ["2d", 172_800_000],
    [" 5s ", 5_000],
    ["0.5ms", 1],
    [3_153_600_000_000, 3_153_600_000_000],
  ])("%j is %i", (duration, ms) => {
    expect(toMs(duration)).toBe(ms);
  });

  test.each<[unknown]>([
    [-1],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    [3_153_600_000_001],
    [1.7e18],
    [""],
    ["5"],
    ["s"],
    ["5 s"],
    ["5S"],
    ["-5s"],
    ["1e3s"],
    ["5s5s"],
    ["1.s"],
    ["infinity"],
    ["99999999d"],
    [null],
    [undefined],
    [true],
    [{}],
    [[]],
    [5n],
    [Symbol("s")],
    [Object.create(null)],
  ])("%o is refused, with the option's name and what to write", (duration) => {
    expect(() => toMs(duration as string, "retry.base")).toThrow(
      expect.objectContaining({
        code: "invalid-duration",
        message: expect.stringMatching(/^retry\.base: .*milliseconds/),
      }),
    );
  });
});

describe("formatMs", () => {
  test.each([
    [0, "0ms"],
    [850, "850ms"],
    [999.4, "999ms"],
    [1_000, "1s"],
    [2_500, "2.5s"],
    [60_000, "1m"],
    [180_000, "3m"],
    [4_320_000, "1.2h"],
    [86_400_000, "1d"],
  ])("%d is %s", (ms, text) => {
    expect(formatMs(ms)).toBe(text);
  });
});

test.each([
  [0, "0ms"],
  [499, "0ms"],
  [1_499, "1s"],
  [59_600, "1m"],
])("formatSeconds: %d ms are %s", (ms, text) => {
  expect(formatSeconds(ms)).toBe(text);
});

test.each([
  [0, "0ms"],
  [1_500, "1500ms"],
  [90_000, "90s"],
  [5_400_000, "90m"],
  [604_800_000, "7d"],
])("exactMs: %d ms are %s", (ms, text) => {
  expect(exactMs(ms)).toBe(text);
});
