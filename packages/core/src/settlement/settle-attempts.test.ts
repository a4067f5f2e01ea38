import { describe, expect, test } from "vitest";
import { NO_RETRY, retryPolicy } from "../retry/backoff.ts";
import { settle } from "./settle.ts";
import { type SettlementInput } from "./settlement.ts";
import { envelope, ERROR, inputOf, NOW, failed } from "./settle.fixture.ts";

describe("how often a job is tried", () => {
  const stateAfter = (
    attempts: number,
    more: Partial<SettlementInput> & { maxAttempts?: number } = {},
  ): string => {
    const { maxAttempts, ...rest } = more;
    const job = { ...envelope, attempts, ...(maxAttempts === undefined ? {} : { maxAttempts }) };
    return settle(inputOf({ outcome: failed, envelope: job, ...rest })).state;
  };

  test("as the policy says, and the last failure is a dead letter", () => {
    expect([stateAfter(0), stateAfter(1), stateAfter(2), stateAfter(7)]).toEqual([
      "requeued",
      "requeued",
      "dead",
      "dead",
    ]);
    expect(
      settle(inputOf({ outcome: failed, envelope: { ...envelope, attempts: 2 } })).reason,
    ).toBe("attempts-exhausted");
  });

  test("the job's own maxAttempts overrides it, up and down", () => {
    expect([
      stateAfter(0, { maxAttempts: 1 }),
      stateAfter(2, { maxAttempts: 4 }),
      stateAfter(3, { maxAttempts: 4 }),
    ]).toEqual(["dead", "requeued", "dead"]);
    expect(stateAfter(0, { policy: NO_RETRY })).toBe("dead");
  });

  test("a delay the handler chose does not make attempts out of nothing", () => {
    expect(stateAfter(2, { outcome: { ...failed, retry: { afterMs: 5 } } })).toBe("dead");
  });

  test("a policy that gives up buries the job although attempts are left", () => {
    expect(stateAfter(0, { policy: retryPolicy({ backoff: () => "never" }) })).toBe("dead");
  });

  test("the policy is asked with the attempts so far, the error and the chance it was given", () => {
    const asked: unknown[] = [];
    const policy = {
      attempts: 9,
      delayMs: (question: unknown) => {
        asked.push(question);
        return 0.4;
      },
    };
    const settlement = settle(
      inputOf({ outcome: failed, envelope: { ...envelope, attempts: 3 }, policy, random: 0.25 }),
    );
    expect(asked).toEqual([{ attempts: 4, error: ERROR, random: 0.25 }]);
    expect(settlement.notBefore).toBe(NOW + 1);
  });
});
