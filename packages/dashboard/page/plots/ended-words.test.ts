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
    const counted = { queue: "", from: 0, ms, were: "were" } as const;
    const said = endedWords({ succeeded, failed, dead }, counted);
    expect(said.map((part) => (typeof part === "string" ? part : part.text)).join("")).toBe(words);
  },
);

test("what is counted leads to its list, and nothing does not", () => {
  const counted = { from: Date.UTC(2_030, 0, 1), ms: 60_000, were: "are" } as const;
  const of = (queue: string): readonly string[] =>
    endedWords({ succeeded: [2], failed: [1], dead: [3] }, { queue, ...counted }).flatMap((part) =>
      typeof part === "string" ? [] : [`${part.text}: ${decodeURIComponent(part.to)}`],
    );
  const since = "at>=2030-01-01T00:00:00.000Z";
  expect(of("mail")).toEqual([
    `2 succeeded: /jobs?state=succeeded&queue=mail&filter=${since}`,
    "1 failed: /errors?queue=mail",
    `3 died: /errors?queue=mail&filter=${since}&dead=only`,
  ]);
  expect(of("").join(" ")).not.toContain("queue=");
  const none = endedWords({ succeeded: [], failed: [0], dead: [] }, { queue: "", ...counted });
  expect(none.every((part) => typeof part === "string")).toBe(true);
});
