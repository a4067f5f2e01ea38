import {
  type DeadLetter,
  type ErrorCode,
  MillraceError,
  NO_RETRY,
  type Outcome,
  type QueueMessage,
  readEnvelope,
  type RetryPolicy,
  settle,
  type Settlement,
  type SettlementInput,
  type SettlementStep,
  UNSETTLED,
} from "@millrace/core";
import { expect, test } from "vitest";
import { fallback } from "./settlement-fallback.ts";

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

const NEXT = [{ name: "n2", queue: "q2" }];
const DONE: Outcome = { kind: "succeeded", output: "much" };

/** What becomes of a settlement whose step of this kind fails so. */
function fail(
  settlement: Settlement,
  at: SettlementStep["do"],
  code: ErrorCode,
  input: SettlementInput,
) {
  const step = settlement.steps.find((one) => one.do === at);
  return fallback({ error: new MillraceError(code, "no"), settlement, step }, input, NOW);
}

const ask = (
  at: SettlementStep["do"],
  code: ErrorCode,
  outcome: Outcome,
  { policy, next }: { policy?: RetryPolicy; next?: typeof NEXT } = {},
) => {
  const plain = inputOf(outcome, policy);
  const input = next === undefined ? plain : { ...plain, envelope: { ...plain.envelope, next } };
  const settlement = settle(input);
  return { input, settlement, other: fail(settlement, at, code, input) };
};

test.each([
  ["payload-too-large", "too-large"],
  ["unserializable-payload", "unserializable"],
] as const)("a result refused as %s is left out; the job has succeeded", (code, outputDropped) => {
  const { input, other } = ask("record", code, DONE);
  expect(other).toMatchObject({
    state: "succeeded",
    steps: [{ do: "record", record: { state: "succeeded", outputDropped } }, { do: "ack" }],
  });
  expect(other?.steps[0]).not.toHaveProperty("record.output");
  // And there is no other fallback after it.
  expect(other && fail(other, "record", code, input)).toBeUndefined();
});

test.each<Outcome>([FAILED, { kind: "snoozed", delayMs: 5 }, { kind: "interrupted" }])(
  "a requeue that is too large makes a dead letter: $kind",
  (outcome) => {
    expect(ask("requeue", "payload-too-large", outcome).other).toMatchObject({
      state: "dead",
      reason: "payload-too-large",
      steps: [{ do: "bury" }, { do: "record" }, { do: "ack" }],
    });
  },
);

test("a dead letter that is refused is tried again as it is", () => {
  const { other } = ask("bury", "payload-too-large", FAILED, { policy: NO_RETRY });
  expect(other).toBeUndefined();
});

test.each<ErrorCode>(["publish-timeout", "request-timeout", "lease-lost"])(
  "%s has no fallback but time",
  (code) => {
    expect(ask("record", code, DONE).other).toBeUndefined();
    expect(ask("enqueue", code, DONE, { next: NEXT }).other).toBeUndefined();
    expect(ask("requeue", code, FAILED).other).toBeUndefined();
  },
);

test("a retry that a full queue refuses waits among the delayed jobs instead", () => {
  const { other } = ask("requeue", "queue-full", FAILED);
  const notBefore = other?.notBefore ?? 0;
  expect(notBefore).toBeGreaterThan(NOW);
  expect(other?.steps).toMatchObject([
    { do: "requeue", envelope: { notBefore, attempts: 1, generation: 1 } },
    { do: "record", record: { state: "requeued", notBefore } },
    { do: "ack" },
  ]);
});

test("so does the next job of a chain, and the success that is on record stays as it is", () => {
  const { settlement, other } = ask("enqueue", "queue-full", DONE, { next: NEXT });
  expect(other?.steps).toMatchObject([
    { do: "record", record: { state: "succeeded" } },
    { do: "enqueue", envelope: { id: "a:next", notBefore: NOW + 1_000 } },
    { do: "ack" },
  ]);
  expect(other?.steps[0]).toBe(settlement.steps[0]);
});

test.each<[Outcome, "requeue" | "enqueue"]>([
  [FAILED, "requeue"],
  [DONE, "enqueue"],
])("where there is no room among the delayed jobs either, only time helps: %#", (outcome, at) => {
  const { input, other } = ask(at, "queue-full", outcome, { next: NEXT });
  expect(other && fail(other, at, "queue-full", input)).toBeUndefined();
});

test.each<ErrorCode>([
  "queue-not-found",
  "payload-too-large",
  "unserializable-payload",
  "permission-denied",
])("a next job that is refused as %s becomes a letter in its own name", (code) => {
  const { settlement, other } = ask("enqueue", code, DONE, { next: NEXT });
  expect(other).toMatchObject({
    state: "succeeded",
    steps: [
      { do: "record", record: { id: "a", state: "succeeded", output: "much" } },
      {
        do: "bury",
        letter: { id: "a:next", name: "n2", queue: "q2", reason: "chain-broken", attempts: 0 },
      },
      {
        do: "record",
        record: { id: "a:next", queue: "q2", state: "dead", reason: "chain-broken" },
      },
      { do: "ack" },
    ],
  });
  expect(other?.steps[0]).toBe(settlement.steps[0]);
  const letter = other?.steps.find((step) => step.do === "bury")?.letter;
  expect(letter && readEnvelope(asMessage(letter))).toMatchObject({
    ok: true,
    envelope: { payload: "much" },
  });
});

test("a letter of a next job that no letter can hold leaves its payload out, and can't be taken for one with null", () => {
  const large: Outcome = { kind: "succeeded", output: "x".repeat(5_000) };
  const { input, other } = ask("enqueue", "payload-too-large", large, { next: NEXT });
  const bare = other && fail(other, "bury", "payload-too-large", input);
  const letter = bare?.steps.find((step) => step.do === "bury")?.letter;
  expect(letter?.body.length).toBeLessThan(200);
  expect(letter && readEnvelope(asMessage(letter))).toMatchObject({
    ok: false,
    id: "a:next",
    error: { message: expect.stringContaining("payload must be there") as string },
  });
  expect(bare && fail(bare, "bury", "payload-too-large", input)).toBeUndefined();
});

function asMessage({ queue, body, headers }: DeadLetter): QueueMessage {
  return { queue, body, headers, origin: "runtime", sequence: 1, storedAt: 0 };
}

test("an error of another family has no fallback", () => {
  const input = inputOf(FAILED);
  const settlement = settle(input);
  const [step] = settlement.steps;
  const error = new Error("payload-too-large");
  expect(fallback({ error, settlement, step }, input, NOW)).toBeUndefined();
});
