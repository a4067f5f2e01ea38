import { expect, test } from "vitest";
import { checkProgress } from "./progress-report.ts";

test("a number from 0 up, with or without a note", () => {
  expect(checkProgress(0, undefined)).toEqual({ value: 0 });
  expect(checkProgress(0.25, "a quarter")).toEqual({ value: 0.25, note: "a quarter" });
  expect(checkProgress(1e9, "x".repeat(2_000)).note).toHaveLength(1_000);
});

test.each([
  [Number.NaN, undefined, /got NaN/],
  [Number.POSITIVE_INFINITY, undefined, /got Infinity/],
  [-0.1, undefined, /from 0 up.*got -0.1/],
  ["0.5", undefined, /got string/],
  [null, undefined, /got null/],
  [0.5, 7, /note must be a text; got 7/],
  [0.5, {}, /note must be a text; got object/],
])("%s with note %j is refused, and the message says why", (value, note, message) => {
  expect(() => checkProgress(value, note)).toThrow(message);
  expect(() => checkProgress(value, note)).toThrow(
    expect.objectContaining({ code: "invalid-progress" }),
  );
});
