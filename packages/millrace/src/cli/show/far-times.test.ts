import { expect, test } from "vitest";
import { plain } from "../io.ts";
import { isoTime } from "./iso-time.ts";
import { stepsTable } from "./steps.ts";

test.each([
  [8.64e15, "until +275760-09-13T00:00:00.000Z"],
  [8.64e15 + 1, "until never"],
  [Number.MAX_SAFE_INTEGER, "until never"],
])("a step that sleeps until %s is shown, though no date may be so late", (until, words) => {
  const step = { name: "s", n: 0, kind: "sleep", state: "sleeping", at: 1, until } as const;
  expect(stepsTable([step], "q", plain)).toContain(words);
});

test("what is no time at all is shown as that", () => {
  expect(isoTime(Number.NaN)).toBe("an unknown time");
  expect(isoTime(0)).toBe("1970-01-01T00:00:00.000Z");
});
