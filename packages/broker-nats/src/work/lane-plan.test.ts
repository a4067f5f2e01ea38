import { describe, expect, test } from "vitest";
import { contends, type LaneView, planPull, WARM_MS } from "./lane-plan.ts";

const VIEW: LaneView = {
  state: "cold",
  outstanding: 0,
  dealt: 0,
  free: 16,
  rivals: 0,
  otherAskedForMore: false,
};

const STANDING = { batch: 1 };

describe("a lane asks for", () => {
  test.each<[string, Partial<LaneView>, ReturnType<typeof planPull>]>([
    ["nothing while no slot is free", { free: 0 }, undefined],
    [
      "nothing while deliveries in the buffer wait for more slots than are free",
      { free: -1 },
      undefined,
    ],
    ["one, being idle", {}, STANDING],
    ["nothing more, being idle and having asked", { outstanding: 1 }, undefined],
    ["nothing before its turn, being idle beside a busy one", { rivals: 1 }, undefined],
    ["one at its turn, being idle beside a busy one", { rivals: 1, dealt: 1 }, STANDING],
    ["all slots, being warm and alone", { state: "warm" }, { batch: 16, expiresMs: WARM_MS }],
    [
      "one, being warm where another asked for more",
      { state: "warm", otherAskedForMore: true },
      STANDING,
    ],
    [
      "one at its turn, being warm beside a busy one",
      { state: "warm", rivals: 2, dealt: 1 },
      STANDING,
    ],
    ["all slots, being the one busy lane", { state: "backlog" }, { batch: 16, expiresMs: WARM_MS }],
    [
      "a quarter of the slots at least, being busy",
      { state: "backlog", outstanding: 13 },
      undefined,
    ],
    [
      "what is missing, being busy",
      { state: "backlog", outstanding: 12 },
      { batch: 4, expiresMs: WARM_MS },
    ],
    [
      "nothing that it was not dealt, being busy beside another",
      { state: "backlog", rivals: 1 },
      undefined,
    ],
    [
      "what it was dealt, without waiting",
      { state: "backlog", rivals: 1, dealt: 5 },
      { batch: 5, noWait: true },
    ],
    [
      "nothing before the last answer, being dealt more",
      { state: "backlog", rivals: 1, dealt: 5, outstanding: 2 },
      undefined,
    ],
    ["nothing that it was not dealt, being unknown", { state: "unknown" }, undefined],
    [
      "what it was dealt, being unknown",
      { state: "unknown", dealt: 1 },
      { batch: 1, noWait: true },
    ],
  ])("%s", (_what, view, expected) => {
    expect(planPull({ ...VIEW, ...view })).toEqual(expected);
  });
});

test("lanes in which jobs may wait contend", () => {
  expect((["cold", "warm", "backlog", "unknown"] as const).filter(contends)).toEqual([
    "backlog",
    "unknown",
  ]);
});
