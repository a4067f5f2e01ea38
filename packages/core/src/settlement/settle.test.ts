import { describe, expect, test } from "vitest";
import type { Envelope } from "../envelope/envelope.ts";
import type { Outcome } from "./outcome.ts";
import { settle } from "./settle.ts";
import { crashesOf, type SettlementInput } from "./settlement.ts";
import { envelope, ERROR, inputOf, message, NOW, failed, rejected } from "./settle.fixture.ts";

interface Row {
  readonly from: SettlementInput["from"];
  readonly outcome: Outcome;
  readonly state: string;
  readonly steps: string;
  /**
   * What is counted: attempts, generation, interruptions, crashes, snoozes. The envelope comes with
   * 1 1 1 1 1, delivered for the second time.
   */
  readonly counted: string;
  readonly dueInMs?: number;
  readonly reason?: string;
}

const CAME: Envelope = {
  ...envelope,
  attempts: 1,
  generation: 1,
  interruptions: 1,
  crashes: 1,
  snoozes: 1,
};

const ROWS: readonly Row[] = [
  {
    from: "running",
    outcome: { kind: "succeeded", output: 7 },
    state: "succeeded",
    steps: "record ack",
    counted: "2 1 1 0 1",
  },
  {
    from: "running",
    outcome: failed,
    state: "requeued",
    steps: "requeue record ack",
    counted: "2 2 1 0 1",
    dueInMs: 10_000,
  },
  {
    from: "running",
    outcome: { ...failed, retry: "never" },
    state: "dead",
    steps: "bury record ack",
    counted: "2 1 1 0 1",
    reason: "fatal",
  },
  {
    from: "running",
    outcome: { ...failed, retry: { afterMs: 77 } },
    state: "requeued",
    steps: "requeue record ack",
    counted: "2 2 1 0 1",
    dueInMs: 77,
  },
  {
    from: "running",
    outcome: { ...failed, retry: { afterMs: 0 } },
    state: "requeued",
    steps: "requeue record ack",
    counted: "2 2 1 0 1",
  },
  {
    from: "running",
    outcome: { kind: "timed-out", error: ERROR },
    state: "requeued",
    steps: "requeue record ack",
    counted: "2 2 1 0 1",
    dueInMs: 10_000,
  },
  {
    from: "running",
    outcome: { kind: "snoozed", delayMs: 500.2 },
    state: "requeued",
    steps: "requeue record ack",
    counted: "1 2 1 0 2",
    dueInMs: 501,
  },
  {
    from: "running",
    outcome: { kind: "interrupted" },
    state: "requeued",
    steps: "requeue record ack",
    counted: "1 2 2 2 1",
  },
  {
    from: "running",
    outcome: { kind: "cancelled", reason: "user left" },
    state: "cancelled",
    steps: "record ack",
    counted: "1 1 1 2 1",
  },
  {
    from: "running",
    outcome: { kind: "lease-lost" },
    state: "abandoned",
    steps: "",
    counted: "1 1 1 2 1",
  },
  {
    from: "running",
    outcome: rejected,
    state: "dead",
    steps: "bury record ack",
    counted: "1 1 1 2 1",
    reason: "invalid-payload",
  },
  {
    from: "queued",
    outcome: { kind: "interrupted" },
    state: "requeued",
    steps: "requeue record ack",
    counted: "1 2 1 2 1",
  },
  {
    from: "queued",
    outcome: { kind: "cancelled", reason: "user left" },
    state: "cancelled",
    steps: "record ack",
    counted: "1 1 1 2 1",
  },
  {
    from: "queued",
    outcome: { kind: "lease-lost" },
    state: "abandoned",
    steps: "",
    counted: "1 1 1 2 1",
  },
  {
    from: "queued",
    outcome: { kind: "deferred", untilMs: NOW + 60_000 },
    state: "requeued",
    steps: "requeue record ack",
    counted: "1 2 1 2 1",
    dueInMs: 60_000,
  },
  {
    from: "queued",
    outcome: { kind: "blocked", gate: "cap/mail/acme" },
    state: "requeued",
    steps: "block record ack",
    counted: "1 2 1 2 1",
  },
  {
    from: "queued",
    outcome: { kind: "expired" },
    state: "expired",
    steps: "bury record ack",
    counted: "1 1 1 2 1",
    reason: "expired",
  },
  {
    from: "queued",
    outcome: rejected,
    state: "dead",
    steps: "bury record ack",
    counted: "1 1 1 2 1",
    reason: "invalid-payload",
  },
  {
    from: "queued",
    outcome: { kind: "crashed" },
    state: "dead",
    steps: "bury record ack",
    counted: "1 1 1 2 1",
    reason: "crashed",
  },
  {
    from: "queued",
    outcome: { kind: "recalled" },
    state: "recalled",
    steps: "ack",
    counted: "1 1 1 2 1",
  },
];

const EVERY_OUTCOME: readonly Outcome[] = [
  { kind: "succeeded" },
  failed,
  { kind: "timed-out", error: ERROR },
  { kind: "snoozed", delayMs: 1 },
  { kind: "interrupted" },
  { kind: "cancelled", reason: "r" },
  { kind: "lease-lost" },
  { kind: "deferred", untilMs: NOW + 1 },
  { kind: "blocked", gate: "g" },
  { kind: "expired" },
  rejected,
  { kind: "crashed" },
  { kind: "recalled" },
];

describe("settle", () => {
  test.each(ROWS)(
    "$from, $outcome.kind: $state",
    ({ from, outcome, state, steps, counted, dueInMs, reason }) => {
      const settlement = settle(inputOf({ from, outcome, envelope: CAME, deliveryCount: 2 }));
      const { attempts, generation, interruptions, crashes, snoozes } = settlement.envelope;
      expect(settlement.state).toBe(state);
      expect(settlement.steps.map((step) => step.do).join(" ")).toBe(steps);
      expect([attempts, generation, interruptions, crashes, snoozes].join(" ")).toBe(counted);
      expect(settlement.notBefore).toBe(dueInMs === undefined ? undefined : NOW + dueInMs);
      expect(settlement.envelope.notBefore).toBe(settlement.notBefore);
      expect(settlement.reason).toBe(reason);
      for (const step of settlement.steps) {
        if (step.do === "requeue") expect(step.envelope).toEqual(settlement.envelope);
        if (step.do === "bury")
          expect(step.letter).toMatchObject({
            id: "job-1",
            reason,
            attempts,
            body: message.body,
            headers: message.headers,
            at: NOW,
            node: "node-a",
          });
        if (step.do === "record")
          expect(step.record).toMatchObject({
            state,
            outcome: outcome.kind,
            attempts,
            generation: CAME.generation,
            at: NOW,
          });
      }
    },
  );

  test("an outcome that can't follow the state is refused, and the table above has all that can", () => {
    const listed = new Set(ROWS.map(({ from, outcome }) => `${from} ${outcome.kind}`));
    for (const from of ["queued", "running"] as const) {
      for (const outcome of EVERY_OUTCOME) {
        const settled = (): unknown => settle(inputOf({ from, outcome }));
        if (listed.has(`${from} ${outcome.kind}`)) settled();
        else
          expect(settled, `${from} ${outcome.kind}`).toThrow(
            expect.objectContaining({ code: "illegal-transition" }),
          );
      }
    }
  });

  test("changes nothing of what it is given", () => {
    const frozen = Object.freeze({ ...CAME, headers: Object.freeze({ ...CAME.headers }) });
    for (const { from, outcome } of ROWS)
      settle(Object.freeze(inputOf({ from, outcome, envelope: frozen })));
  });
});

test("what is published again knows when the first message of its enqueue was stored", () => {
  const first = settle(inputOf({ outcome: failed })).envelope;
  expect(first.firstStoredAt).toBe(message.storedAt);
  const second = settle(
    inputOf({
      envelope: first,
      message: { ...message, storedAt: NOW },
      outcome: { kind: "succeeded" },
    }),
  );
  expect(second.steps).toContainEqual(
    expect.objectContaining({
      record: expect.objectContaining({ firstStoredAt: message.storedAt }) as unknown,
    }),
  );
});

describe("start times", () => {
  test("one that was reached is not carried on", () => {
    const job = { ...envelope, notBefore: NOW - 1 };
    for (const outcome of [
      { kind: "interrupted" },
      { kind: "snoozed", delayMs: 0 },
      { ...failed, retry: { afterMs: 0 } },
    ] as const) {
      expect(settle(inputOf({ outcome, envelope: job })).envelope).not.toHaveProperty("notBefore");
    }
  });

  test("a job that is handed back before it could be deferred keeps its own", () => {
    const job = { ...envelope, notBefore: NOW + 1_000 };
    expect(
      settle(inputOf({ from: "queued", outcome: { kind: "interrupted" }, envelope: job })),
    ).toMatchObject({ notBefore: NOW + 1_000, envelope: { notBefore: NOW + 1_000 } });
  });

  test("a job that ran is not delayed again by a wall clock that was set back", () => {
    const job = { ...envelope, notBefore: NOW + 1_000 };
    expect(
      settle(inputOf({ outcome: { kind: "interrupted" }, envelope: job })).envelope,
    ).not.toHaveProperty("notBefore");
  });
});

describe("crashesOf", () => {
  test.each([
    [0, 1, 0],
    [0, 3, 2],
    [2, 1, 2],
    [2, 2, 3],
    [0, 0, 0],
  ])("%i carried and delivery %i are %i", (crashes, deliveryCount, expected) => {
    expect(crashesOf({ envelope: { ...envelope, crashes }, deliveryCount })).toBe(expected);
  });
});

describe("a place that a rate limit keeps", () => {
  const kept = { ...CAME, reservedAt: NOW + 5 };
  test("is kept by a deferral, through whatever keeps the job from running, and used up by running", () => {
    const after = (from: SettlementInput["from"], outcome: Outcome, came: Envelope = kept) =>
      settle(inputOf({ from, outcome, envelope: came })).envelope.reservedAt;
    expect(after("queued", { kind: "deferred", untilMs: NOW + 9, reservedAt: NOW + 9 }, CAME)).toBe(
      NOW + 9,
    );
    expect(after("queued", { kind: "deferred", untilMs: NOW + 9 })).toBe(NOW + 5);
    expect(after("queued", { kind: "blocked", gate: "g" })).toBe(NOW + 5);
    expect(after("queued", { kind: "interrupted" })).toBe(NOW + 5);
    expect(after("running", { kind: "interrupted" })).toBeUndefined();
    expect(after("running", failed)).toBeUndefined();
    expect(after("running", { kind: "snoozed", delayMs: 1 })).toBeUndefined();
  });
});

test("a blocked job says where it waits, in its step and in its record", () => {
  const { steps } = settle(
    inputOf({ from: "queued", outcome: { kind: "blocked", gate: "cap/a/b" } }),
  );
  expect(steps).toMatchObject([
    { do: "block", gate: "cap/a/b", envelope: { generation: 1 } },
    { do: "record", record: { outcome: "blocked", reason: "cap/a/b" } },
    { do: "ack" },
  ]);
});
