import { describe, expect, test } from "vitest";
import { runnableAt } from "../envelope/runnable-at.ts";
import { settle } from "./settle.ts";
import { envelope, failed, inputOf, NOW } from "./settle.fixture.ts";
import type { SettlementInput } from "./settlement.ts";

describe("since when the next attempt can start", () => {
  const { createdAt } = envelope;
  const handedBack = { kind: "interrupted" } as const;
  test.each<[string, Partial<SettlementInput> & Pick<SettlementInput, "outcome">, number]>([
    ["a retry: its start time", { outcome: failed }, NOW + 10_000],
    ["a retry at once", { outcome: { ...failed, retry: { afterMs: 0 } } }, NOW],
    ["an interruption", { outcome: handedBack }, NOW],
    ["a job that did not run", { outcome: handedBack, from: "queued" }, createdAt],
    [
      "a job that did not run, after its start time",
      {
        ...{ outcome: { kind: "blocked", gate: "g" }, from: "queued" },
        envelope: { ...envelope, notBefore: NOW - 2_000 },
      },
      NOW - 2_000,
    ],
    [
      "one that a rate defers",
      {
        ...{ outcome: { kind: "deferred", untilMs: NOW + 9_000, reservedAt: NOW + 9_000 } },
        ...{ from: "queued", envelope: { ...envelope, runnableAt: NOW - 1_000 } },
      },
      NOW - 1_000,
    ],
    [
      "one whose own start is ahead",
      { outcome: { kind: "deferred", untilMs: NOW + 9_000 }, from: "queued" },
      NOW + 9_000,
    ],
  ])("%s", (_, input, at) => {
    expect(runnableAt(settle(inputOf(input)).envelope)).toBe(at);
  });
});
