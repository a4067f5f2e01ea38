import { expect, test } from "vitest";
import { inOrderOfMessages, outranks } from "./history-order.ts";
import type { HistoryRecord } from "./history-record.ts";

let stored = 0;

function record(
  state: HistoryRecord["state"],
  generation: number,
  sequence: number,
  more: Partial<HistoryRecord> = {},
): HistoryRecord {
  stored += 1;
  return {
    ...{ id: "a", name: "n", queue: "q", attempts: 1, node: "n", at: stored, createdAt: 1 },
    ...{ state, outcome: state === "requeued" ? "failed" : "succeeded", generation, sequence },
    ...more,
  };
}

test.each([
  ["cancelled", 0, 1],
  ["dead", 1, 2],
  ["requeued", 0, 1],
] as const)("a job that has ended has ended: %s afterwards comes before it", (state, g, s) => {
  const first = record("succeeded", 0, 1);
  const second = record(state, g, s);
  expect(inOrderOfMessages([first, second])).toEqual([second, first]);
  expect(outranks(first, second)).toBe(true);
});

test("of three ends the first counts, and the others stay in their order", () => {
  const begun = record("requeued", 0, 1);
  const [first, second, third] = [
    record("succeeded", 1, 2),
    record("cancelled", 1, 2),
    record("dead", 1, 3),
  ];
  expect(inOrderOfMessages([begun, first, second, third])).toEqual([begun, second, third, first]);
});

test.each([
  ["brought back from the dead letters", { life: 1, generation: 1, sequence: 2 }],
  ["enqueued anew", { createdAt: 2, sequence: 2 }],
  ["enqueued anew by a producer that writes the same time", { sequence: 2 }],
  ["of a version that does not say", { createdAt: undefined, sequence: 2 }],
] as const)("a job that was %s ends anew", (_, more) => {
  const first = record("dead", 0, 1);
  const { createdAt = 1, ...rest } = { createdAt: 1, ...more };
  const second = { ...record("succeeded", 0, 1), ...rest, createdAt };
  if ("createdAt" in more && more.createdAt === undefined) {
    const { createdAt: _unsaid, ...older } = second;
    expect(inOrderOfMessages([first, older])).toEqual([first, older]);
  } else expect(inOrderOfMessages([first, second])).toEqual([first, second]);
});

test("a record that overtakes another was made for a later message", () => {
  const [late, early] = [record("requeued", 1, 2), record("requeued", 0, 1)];
  expect(inOrderOfMessages([late, early])).toEqual([early, late]);
  expect(outranks(late, early)).toBe(true);
  expect(outranks(early, late)).toBe(false);
});
