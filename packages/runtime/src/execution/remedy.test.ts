import {
  type ErrorCode,
  MillraceError,
  NO_RETRY,
  type Outcome,
  type RetryPolicy,
  settle,
  type SettlementInput,
  UNSETTLED,
} from "@millrace/core";
import { expect, test } from "vitest";
import { remedy } from "./remedy.ts";

const AGAIN: RetryPolicy = { attempts: 9, delayMs: () => 0 };
const NOW = 1_000;
const FAILED: Outcome = { kind: "failed", error: { type: "E", message: "m" }, retry: "policy" };

function inputOf(outcome: Outcome, policy = AGAIN): SettlementInput {
  return {
    envelope: {
      ...UNSETTLED,
      id: "a",
      name: "n",
      queue: "q",
      payload: 1,
      createdAt: 0,
      headers: {},
    },
    message: {
      queue: "q",
      origin: "producer",
      body: new Uint8Array(),
      headers: {},
      sequence: 1,
      storedAt: 0,
    },
    deliveryCount: 1,
    from: "running",
    outcome,
    policy,
    now: 1,
    random: 0.5,
    node: "n1",
  };
}

const ask = (code: ErrorCode, outcome: Outcome, policy?: RetryPolicy) => {
  const input = inputOf(outcome, policy);
  return remedy(new MillraceError(code, "no"), input, settle(input), NOW);
};

test.each([
  ["payload-too-large", "too-large"],
  ["unserializable-payload", "unserializable"],
] as const)("a result refused as %s is left out; the job has succeeded", (code, outputDropped) => {
  const other = ask(code, { kind: "succeeded", output: "much" });
  expect(other).toMatchObject({
    state: "succeeded",
    steps: [{ do: "record", record: { state: "succeeded", outputDropped } }, { do: "ack" }],
  });
  expect(other?.steps[0]).not.toHaveProperty("record.output");
});

test("there is one remedy for a result, and none after it", () => {
  const input = inputOf({ kind: "succeeded", output: "much" });
  const error = new MillraceError("payload-too-large", "no");
  const other = remedy(error, input, settle(input), NOW);
  expect(other).toBeDefined();
  expect(remedy(error, input, other ?? settle(input), NOW)).toBeUndefined();
});

test.each<Outcome>([FAILED, { kind: "snoozed", delayMs: 5 }, { kind: "interrupted" }])(
  "a requeue that is too large makes a dead letter: $kind",
  (outcome) => {
    expect(ask("payload-too-large", outcome)).toMatchObject({
      state: "dead",
      reason: "payload-too-large",
      steps: [{ do: "bury" }, { do: "record" }, { do: "ack" }],
    });
  },
);

test("a dead letter that is refused is tried again as it is", () => {
  expect(ask("payload-too-large", FAILED, NO_RETRY)).toBeUndefined();
});

test.each<ErrorCode>(["publish-timeout", "request-timeout", "lease-lost"])(
  "%s has no remedy but time",
  (code) => {
    expect(ask(code, { kind: "succeeded", output: 1 })).toBeUndefined();
    expect(ask(code, FAILED)).toBeUndefined();
  },
);

test("a retry that a full queue refuses waits in the delayed stream instead", () => {
  const other = ask("queue-full", FAILED);
  const notBefore = other?.notBefore ?? 0;
  expect(notBefore).toBeGreaterThan(NOW);
  expect(other?.steps).toMatchObject([
    { do: "requeue", envelope: { notBefore, attempts: 1, generation: 1 } },
    { do: "record", record: { state: "requeued", notBefore } },
    { do: "ack" },
  ]);
  expect(ask("queue-full", { kind: "succeeded", output: 1 })).toBeUndefined();
});

test("an error of another family has none either", () => {
  const input = inputOf(FAILED);
  expect(remedy(new Error("payload-too-large"), input, settle(input), NOW)).toBeUndefined();
});
