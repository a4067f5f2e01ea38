import {
  type AbortCause,
  cancel,
  fatal,
  MillraceError,
  type Outcome,
  retryAfter,
  snooze,
} from "@millrace/core";
import { describe, expect, test } from "vitest";
import type { AbortReason } from "./attempt/abort-switch.ts";
import { interpret, outcomeOfAbort } from "./interpret.ts";

const reason = (code: AbortCause): AbortReason =>
  new MillraceError(code, `because of ${code}`) as AbortReason;
const DAY_MS = 86_400_000;
const CAUSES = ["timed-out", "cancelled", "shutdown", "lease-lost"] as const;
const WISHES = [
  [snooze("1s"), { kind: "snoozed", delayMs: 1_000 }],
  [cancel("no use"), { kind: "cancelled", reason: "no use" }],
  [fatal("never"), { kind: "failed", retry: "never", error: { type: "fatal", message: "never" } }],
  [
    fatal(new RangeError("far")),
    { kind: "failed", retry: "never", error: { type: "RangeError", message: "far" } },
  ],
  [
    retryAfter("2s", new TypeError("busy")),
    { kind: "failed", retry: { afterMs: 2_000 }, error: { type: "TypeError", message: "busy" } },
  ],
] as const;

test("undisturbed: a value succeeds, a throw fails", () => {
  expect(interpret({ returned: 7 }, undefined, DAY_MS)).toEqual({ kind: "succeeded", output: 7 });
  expect(interpret({ returned: undefined }, undefined, DAY_MS)).toEqual({
    kind: "succeeded",
    output: undefined,
  });
  expect(interpret({ threw: new TypeError("no") }, undefined, DAY_MS)).toMatchObject({
    kind: "failed",
    retry: "policy",
    error: { type: "TypeError", message: "no" },
  });
  expect(interpret({ threw: undefined }, undefined, DAY_MS)).toMatchObject({ kind: "failed" });
});

describe.each([undefined, ...CAUSES.filter((cause) => cause !== "lease-lost")])(
  "told to stop: %s",
  (cause) => {
    test.each(WISHES)("a wish counts, returned or thrown: %s", (wish, expected) => {
      const aborted = cause === undefined ? undefined : reason(cause);
      expect(interpret({ returned: wish }, aborted, DAY_MS)).toMatchObject(expected);
      expect(interpret({ threw: wish }, aborted, DAY_MS)).toMatchObject(expected);
    });

    test("a value is work done", () => {
      const aborted = cause === undefined ? undefined : reason(cause);
      expect(interpret({ returned: 1 }, aborted, DAY_MS)).toEqual({ kind: "succeeded", output: 1 });
    });
  },
);

test.each<[AbortCause, Partial<Outcome>]>([
  [
    "timed-out",
    {
      kind: "timed-out",
      error: { type: "timed-out", message: "because of timed-out It then failed with: aborted" },
    },
  ],
  ["cancelled", { kind: "cancelled", reason: "because of cancelled" }],
  ["shutdown", { kind: "interrupted" }],
  ["lease-lost", { kind: "lease-lost" }],
])("a throw after %s is that stop's outcome", (cause, expected) => {
  expect(interpret({ threw: new Error("aborted") }, reason(cause), DAY_MS)).toMatchObject(expected);
});

test("a handler that throws its signal's reason adds nothing to it", () => {
  const aborted = reason("timed-out");
  expect(interpret({ threw: aborted }, aborted, DAY_MS)).toMatchObject({
    kind: "timed-out",
    error: { message: "because of timed-out" },
  });
});

test.each(CAUSES)("a handler that says nothing after %s", (cause) => {
  const kind = { "timed-out": "timed-out", cancelled: "cancelled", shutdown: "interrupted" };
  expect(outcomeOfAbort(reason(cause)).kind).toBe({ ...kind, "lease-lost": "lease-lost" }[cause]);
});

test.each([{ returned: 1 }, { threw: new Error("x") }, { returned: snooze("1s") }])(
  "a lost lease beats everything: %o",
  (ending) => {
    expect(interpret(ending, reason("lease-lost"), DAY_MS)).toEqual({ kind: "lease-lost" });
  },
);
