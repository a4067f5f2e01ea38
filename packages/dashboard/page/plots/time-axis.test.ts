import { expect, test } from "vitest";
import { TIME_STEPS_S, timeWords } from "./time-axis.ts";

const BEGIN_S = Date.UTC(2031, 4, 6) / 1_000;

test.each(TIME_STEPS_S)("two times beside each other, %i s apart, differ in words", (step) => {
  const words = timeWords(Array.from({ length: 12 }, (_, n) => BEGIN_S + n * step));
  for (const [n, word] of words.entries()) expect(word).not.toBe(words[n + 1]);
});

test("a step is longer than the one before it", () => {
  expect(TIME_STEPS_S.toSorted((a, b) => a - b)).toEqual(TIME_STEPS_S);
});
