import { expect, test } from "vitest";
import { judgeMachines } from "./judge-machines.ts";

const MINUTE = 60_000;
const node = (machines: unknown, silentMs = 0) => ({
  ...{ name: "n1", report: { queues: [], machines }, silentMs, seenAt: 0 },
});
const backlog = (oldestAgeMs: number) => [{ machine: "order", waiting: 3, oldestAgeMs }];

test("what waits for machines that nobody hosts is named", () => {
  for (const nodes of [[], [node(undefined)], [node(["stock"])], [node(["order"], MINUTE)]])
    expect(judgeMachines(nodes, backlog(2 * MINUTE))).toMatchObject([
      {
        ...{ check: "machines order", status: "fail" },
        message: expect.stringMatching(/^3 events and timers wait, and no node/) as string,
      },
    ]);
});

test("a machine whose node does not take what waits is named later", () => {
  expect(judgeMachines([node(["order"])], backlog(2 * MINUTE))).toEqual([]);
  expect(judgeMachines([node(["order"])], backlog(20 * MINUTE))).toMatchObject([
    { check: "machines order", status: "warn" },
  ]);
});

test("what has only just come is nobody's fault", () => {
  expect(judgeMachines([], backlog(MINUTE / 2))).toEqual([]);
  expect(judgeMachines([], [])).toEqual([]);
});

test.each([null, 7, {}, { machines: 7 }, { machines: [7] }])(
  "a report says nothing: %j",
  (report) => {
    const said = { name: "n1", report, silentMs: 0, seenAt: 0 };
    expect(judgeMachines([said], backlog(2 * MINUTE))).toMatchObject([{ status: "fail" }]);
  },
);
