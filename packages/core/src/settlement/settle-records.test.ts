import { describe, expect, test } from "vitest";
import type { Envelope } from "../envelope/envelope.ts";
import type { Outcome } from "./outcome.ts";
import { settle } from "./settle.ts";
import { type SettlementInput } from "./settlement.ts";
import { envelope, ERROR, inputOf, message, NOW, failed, rejected } from "./settle.fixture.ts";

describe("what a settlement writes down", () => {
  test("the first error stays, the last one is replaced", () => {
    const first = settle(inputOf({ outcome: failed })).envelope;
    const other = { type: "RangeError", message: "another" };
    const second = settle(
      inputOf({ outcome: { kind: "failed", error: other, retry: "policy" }, envelope: first }),
    );
    expect([first.firstError, first.lastError]).toEqual([ERROR, ERROR]);
    expect([second.envelope.firstError, second.envelope.lastError]).toEqual([ERROR, other]);
  });

  test("a dead letter names the first error only where it is another one", () => {
    const letterOf = (job: Envelope): unknown =>
      settle(inputOf({ outcome: { ...failed, retry: "never" }, envelope: job })).steps.find(
        (step) => step.do === "bury",
      );
    expect(letterOf(envelope)).not.toHaveProperty("letter.firstError");
    expect(letterOf({ ...envelope, firstError: { type: "a", message: "b" } })).toMatchObject({
      letter: { error: ERROR, firstError: { type: "a", message: "b" } },
    });
  });

  test("a dead letter of a job without a name has none", () => {
    const { steps } = settle(
      inputOf({ outcome: rejected, from: "queued", envelope: { ...envelope, name: "" } }),
    );
    expect(steps.find((step) => step.do === "bury")).not.toHaveProperty("letter.name");
  });

  test("crashes and expiry say what happened", () => {
    const errorOf = (outcome: Outcome, more: Partial<Envelope> = {}): string => {
      const { steps } = settle(
        inputOf({ from: "queued", outcome, deliveryCount: 3, envelope: { ...envelope, ...more } }),
      );
      return steps
        .flatMap((step) => (step.do === "bury" ? [step.letter.error?.message ?? ""] : []))
        .join();
    };
    expect(errorOf({ kind: "crashed" }, { crashes: 1 })).toContain("3 times in a row");
    expect(errorOf({ kind: "expired" }, { expiresAt: NOW - 1_000 })).toContain(
      "2023-11-14T22:13:19.000Z",
    );
    expect(errorOf({ kind: "expired" })).toBe("The job did not start before its expiry.");
    // Expired by its queue's timeout, with an expiry of its own that no date can say.
    expect(errorOf({ kind: "expired" }, { expiresAt: Number.MAX_SAFE_INTEGER })).toBe(
      "The job did not start before its expiry.",
    );
  });

  test("a record names its attempt's trace, or the one that the job's headers name", () => {
    const traceparent = `00-${"a".repeat(32)}-${"1".repeat(16)}-01`;
    const traced = { ...envelope, headers: { traceparent } };
    const traceOf = (more: Partial<SettlementInput>): unknown =>
      settle(inputOf({ outcome: { kind: "succeeded" }, ...more })).steps.flatMap((step) =>
        step.do === "record" ? [step.record.traceId] : [],
      )[0];
    expect(traceOf({ envelope: traced })).toBe("a".repeat(32));
    expect(traceOf({ envelope: traced, traceId: "b".repeat(32) })).toBe("b".repeat(32));
    expect(traceOf({})).toBeUndefined();
  });

  test("a record holds what is known and nothing else", () => {
    const recordOf = (more: Parameters<typeof inputOf>[0]): unknown =>
      settle(inputOf(more)).steps.flatMap((step) => (step.do === "record" ? [step.record] : []))[0];
    const always = {
      id: "job-1",
      name: "mail.welcome",
      queue: "mail",
      generation: 0,
      sequence: message.sequence,
      createdAt: NOW - 5_000,
      node: "node-a",
      at: NOW,
      firstStoredAt: message.storedAt,
    };
    expect(
      recordOf({
        outcome: { kind: "succeeded", output: { n: 1 } },
        startedAt: NOW - 30,
        durationMs: 30,
      }),
    ).toEqual({
      ...always,
      state: "succeeded",
      outcome: "succeeded",
      attempts: 1,
      output: { n: 1 },
      startedAt: NOW - 30,
      durationMs: 30,
    });
    expect(recordOf({ outcome: { kind: "succeeded" } })).toEqual({
      ...always,
      state: "succeeded",
      outcome: "succeeded",
      attempts: 1,
    });
    expect(recordOf({ outcome: failed })).toEqual({
      ...always,
      state: "requeued",
      outcome: "failed",
      attempts: 1,
      error: ERROR,
      notBefore: NOW + 10_000,
    });
    expect(recordOf({ outcome: { kind: "cancelled", reason: "user left" } })).toEqual({
      ...always,
      state: "cancelled",
      outcome: "cancelled",
      attempts: 0,
      reason: "user left",
    });
  });

  test("a cancelled job that somebody had before may have begun, unless it is known", () => {
    const mayHaveBegun = (more: Partial<SettlementInput>): unknown =>
      settle(inputOf({ outcome: { kind: "cancelled", reason: "r" }, ...more })).steps.flatMap(
        (step) => (step.do === "record" ? [step.record.mayHaveBegun] : []),
      )[0];
    const crashed = { ...envelope, crashes: 1 };
    expect(mayHaveBegun({ from: "queued", deliveryCount: 2 })).toBe(true);
    expect(mayHaveBegun({ from: "queued", envelope: crashed })).toBe(true);
    expect(mayHaveBegun({ from: "queued" })).toBeUndefined();
    expect(mayHaveBegun({ deliveryCount: 2, startedAt: NOW - 30 })).toBeUndefined();
  });
});
