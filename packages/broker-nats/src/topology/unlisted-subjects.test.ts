import { expect, test } from "vitest";
import { takesSubject } from "./unlisted-subjects.ts";

test.each([
  ["a.b", true],
  ["a.b.c", true],
  ["a.b.c.d", true],
  ["x", true],
  ["a", false],
  ["a.bc", false],
  ["x.y", false],
])("%s: %s", (subject, taken) => {
  expect(takesSubject(["a.b", "a.b.>", "x"], subject)).toBe(taken);
});
