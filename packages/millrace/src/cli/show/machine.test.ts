import type { MachineSnapshot } from "@millrace/core";
import { createMask, showValue } from "@millrace/telemetry/masking";
import { expect, test } from "vitest";
import { shownMachine } from "./machine.ts";

const SNAPSHOT: MachineSnapshot = {
  ...{ machine: "order", id: "o-1", version: 1, status: "active", value: "open", context: {} },
  ...{ jobs: {}, startedAt: 1, changedAt: 2, matches: () => false },
  timers: [{ at: 3, event: { type: "token=abc123def" } }],
  trail: [{ at: 1, event: "token=abc123def", value: "open" }],
  trouble: { at: 2, event: "token=abc123def", error: { type: "Error", message: "no" } },
};

test("an event's type is masked wherever it stands, or shown as it is", () => {
  expect(shownMachine(SNAPSHOT, showValue(false, createMask({})))).toMatchObject({
    timers: [{ event: { type: "token=***" } }],
    trail: [{ event: "token=***", value: "open" }],
    trouble: { event: "token=***" },
  });
  expect(shownMachine(SNAPSHOT, showValue(true))).toMatchObject({
    trail: [{ event: "token=abc123def" }],
    trouble: { event: "token=abc123def" },
  });
});
