import { expect, test } from "vitest";
import type { CauseView } from "../../src/api/views/error-views.ts";
import { together } from "./together.ts";

const cause = (more: Partial<CauseView>): CauseView => ({
  ...{ queue: "mail", name: "send", error: "TimeoutError", fingerprint: "aa", reasons: ["fatal"] },
  ...{ letters: 1, firstAt: 10, lastAt: 20, lastId: "a", perHour: [{ at: 0, count: 1 }] },
  ...{ nodes: [{ node: "n", count: 1 }], nodeCount: 1 },
  ...more,
});

test("causes of one type are shown as one: added up, by the hour and node, with the last of them", () => {
  const hour = { at: 0, failures: 2, died: 1 };
  const failed = { failures: 2, died: 1, jobs: 2, perHour: [hour] };
  const nodes = [
    { node: "n", count: 2 },
    { node: "m", count: 5 },
  ];
  const one = together([
    cause({ failed }),
    cause({ failed, lastAt: 40, lastId: "b", reasons: ["expired"], nodes, nodeCount: 2 }),
    cause({ firstAt: 5, perHour: [{ at: 3_600_000, count: 4 }] }),
  ]);
  expect(one).toMatchObject({
    ...{ letters: 3, firstAt: 5, lastAt: 40, lastId: "b", reasons: ["fatal", "expired"] },
    failed: { failures: 4, died: 2, jobs: 4, perHour: [{ at: 0, failures: 4, died: 2 }] },
    perHour: [
      { at: 0, count: 2 },
      { at: 3_600_000, count: 4 },
    ],
    nodes: [
      { node: "m", count: 5 },
      { node: "n", count: 4 },
    ],
    nodeCount: 2,
  });
  expect(together([cause({})])).toEqual(cause({}));
  expect(together([])).toBeUndefined();
});
