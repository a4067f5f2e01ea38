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
    firstStoredAt: 100,
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
  ["was brought back from the dead letters", { life: 1, generation: 1, sequence: 2 }],
  ["was enqueued anew", { createdAt: 2, firstStoredAt: 200, sequence: 2 }],
  [
    "was enqueued anew by a producer that writes the same time, and is tried again",
    { firstStoredAt: 3_600_000, sequence: 3, generation: 1, state: "requeued" },
  ],
  ["was enqueued beside the other, with an idempotency key of its own", { unkeyed: 2 }],
] as const)("a job that %s goes on after the end of the other", (_, more) => {
  const first = record("dead", 0, 1);
  const second = record("succeeded", 0, 1, more);
  expect(inOrderOfMessages([first, second])).toEqual([first, second]);
});

test.each([
  ["its duplicate, which a killed server took as new", { firstStoredAt: 130, sequence: 2 }],
  ["a holder of the life before, which died before its record", { life: 0 }],
] as const)("what %s leaves behind comes before the end", (_, more) => {
  const end = record("succeeded", 0, 1, { life: 1 });
  const left = record("requeued", 0, 1, { life: 1, ...more });
  expect(inOrderOfMessages([end, left])).toEqual([left, end]);
});

test("a record that overtakes another was made for a later message", () => {
  const [late, early] = [record("requeued", 1, 2), record("requeued", 0, 1)];
  expect(inOrderOfMessages([late, early])).toEqual([early, late]);
  expect(outranks(late, early)).toBe(true);
  expect(outranks(early, late)).toBe(false);
});
