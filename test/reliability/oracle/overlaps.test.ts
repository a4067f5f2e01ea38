import { expect, test } from "vitest";
import type { LedgerEntry } from "./ledger-entry.ts";
import { overlaps } from "./overlaps.ts";

const of = (id: string, process: string, token: number) => ({ id, process, token, attempt: 1 });
const a = of("a", "n1", 1);
const b = of("b", "n2", 2);
const entries = (aEndsMs: number, ...more: LedgerEntry[]): readonly LedgerEntry[] => [
  { event: "started", ...a, atMs: 0 },
  { event: "started", ...b, atMs: 10 },
  { event: "ended", ending: "succeeded", ...a, atMs: aEndsMs },
  { event: "ended", ending: "succeeded", ...b, atMs: 30 },
  ...more,
];
const still = { process: "n1", fromMs: 5, untilMs: 15 };

test.each<[string, Parameters<typeof overlaps>]>([
  ["one after the other", [entries(10), [], []]],
  ["told to stop before", [entries(20, { event: "aborted", cause: "x", ...a, atMs: 9 }), [], []]],
  ["dead before", [entries(Infinity), [{ process: "n1", atMs: 9 }], []]],
  ["standing still", [entries(20), [], [still]]],
  [
    "told to stop as soon as it went on",
    [entries(20, { event: "aborted", cause: "x", ...a, atMs: 12 }), [], [{ ...still, untilMs: 9 }]],
  ],
])("two runs do not overlap: the earlier one was %s", (_, trail) => {
  expect(overlaps(...trail)).toEqual([]);
});

test.each<[string, Parameters<typeof overlaps>]>([
  ["nothing excuses it", [entries(20), [], []]],
  [
    "told to stop too late",
    [entries(20, { event: "aborted", cause: "x", ...a, atMs: 11 }), [], []],
  ],
  ["dead later", [entries(Infinity), [{ process: "n1", atMs: 11 }], []]],
  ["another process stood still", [entries(20), [], [{ ...still, process: "n2" }]]],
  ["it had gone on, and was not told", [entries(20), [], [{ ...still, untilMs: 9 }]]],
])("two runs overlap: %s", (_, trail) => {
  expect(overlaps(...trail)).toHaveLength(1);
});
