import { expect, test } from "vitest";
import { endedWords } from "./ended-words.ts";

test.each([
  ["nothing", [], [], [], 60_000, "0 succeeded, 0 failed and were tried again, 0 died."],
  [
    "few",
    [1, 0],
    [],
    [],
    3_600_000,
    "1 succeeded, 0 failed and were tried again, 0 died: 0% failed, 1/h.",
  ],
  [
    "some in each minute",
    [100, 16],
    [3],
    [1],
    600_000,
    "116 succeeded, 3 failed and were tried again, 1 died: 3.3% failed, 12/min.",
  ],
  [
    "many in each second",
    [300_000, 297_000],
    [2_000],
    [1_000],
    300_000,
    "597,000 succeeded, 2,000 failed and were tried again, 1,000 died: 0.5% failed, 2,000/s.",
  ],
])(
  "how attempts ended, which share failed, and how many there were: %s",
  (_what, succeeded, failed, dead, ms, words) => {
    expect(endedWords({ succeeded, failed, dead }, ms, "were")).toBe(words);
  },
);
