import { globSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Envelope, messageIdOf } from "../envelope/envelope.ts";
import { retryPolicy } from "../retry/backoff.ts";
import type { Outcome } from "./outcome.ts";
import { settle } from "./settle.ts";
import type { Settlement } from "./settlement.ts";
import { envelope, ERROR, inputOf, NOW } from "./settle.fixture.ts";

const retryWish = fc.oneof(
  fc.constantFrom("policy" as const, "never" as const),
  fc.record({ afterMs: fc.nat() }),
);
const running: fc.Arbitrary<Outcome> = fc.oneof(
  fc.constant<Outcome>({ kind: "succeeded" }),
  retryWish.map((retry): Outcome => ({ kind: "failed", error: ERROR, retry })),
  fc.constant<Outcome>({ kind: "timed-out", error: ERROR }),
  fc.nat().map((delayMs): Outcome => ({ kind: "snoozed", delayMs })),
  fc.constantFrom<Outcome>(
    { kind: "interrupted" },
    { kind: "cancelled", reason: "r" },
    { kind: "lease-lost" },
    { kind: "rejected", reason: "invalid-payload", error: ERROR },
  ),
);
const queued: fc.Arbitrary<Outcome> = fc.oneof(
  fc.nat().map((after): Outcome => ({ kind: "deferred", untilMs: NOW + after })),
  fc
    .nat()
    .map((after): Outcome => ({ kind: "deferred", untilMs: NOW + after, reservedAt: NOW + after })),
  fc.constantFrom<Outcome>(
    { kind: "interrupted" },
    { kind: "cancelled", reason: "r" },
    { kind: "lease-lost" },
    { kind: "blocked", gate: "g" },
    { kind: "expired" },
    { kind: "rejected", reason: "unknown-name", error: ERROR },
    { kind: "crashed" },
    { kind: "recalled" },
    { kind: "recalled", after: { state: "succeeded", at: NOW - 60, attempts: 1, output: 7 } },
  ),
);
const delivery = fc.oneof(
  fc.record({
    from: fc.constant("running" as const),
    outcome: running,
    deliveryCount: fc.integer({ min: 1, max: 5 }),
  }),
  fc.record({
    from: fc.constant("queued" as const),
    outcome: queued,
    deliveryCount: fc.integer({ min: 1, max: 5 }),
  }),
);
const policies = fc
  .record({
    attempts: fc.integer({ min: 1, max: 5 }),
    backoff: fc.constantFrom("none", "fixed", "exponential", "polynomial"),
  })
  .map(retryPolicy);
const firstEnvelope = fc
  .option(fc.integer({ min: 1, max: 6 }), { nil: undefined })
  .chain((maxAttempts) =>
    fc.boolean().map((isChain): Envelope => ({
      ...envelope,
      ...(maxAttempts === undefined ? {} : { maxAttempts }),
      ...(isChain ? { next: [{ name: "n", queue: "q" }] } : {}),
    })),
  );

/** Settles one delivery after the other until the job has ended, and hands each settlement on. */
function life(
  first: Envelope,
  deliveries: readonly { from: "queued" | "running"; outcome: Outcome; deliveryCount: number }[],
  policy: ReturnType<typeof retryPolicy>,
  look: (came: Envelope, settlement: Settlement, outcome: Outcome) => void,
): void {
  let came = first;
  for (const { from, outcome, deliveryCount } of deliveries) {
    const settlement = settle(inputOf({ envelope: came, from, outcome, deliveryCount, policy }));
    look(came, settlement, outcome);
    // An abandoned or recalled delivery is another holder's; the envelope that comes again is the
    // same.
    if (settlement.state === "requeued") came = settlement.envelope;
    else if (settlement.state !== "abandoned" && settlement.state !== "recalled") return;
  }
}

const lives = (
  look: (came: Envelope, settlement: Settlement, outcome: Outcome) => void,
  more?: (first: Envelope, policyAttempts: number) => void,
): void => {
  fc.assert(
    fc.property(
      firstEnvelope,
      fc.array(delivery, { minLength: 1, maxLength: 30 }),
      policies,
      (first, deliveries, policy) => {
        more?.(first, policy.attempts);
        life(first, deliveries, policy, look);
      },
    ),
    { numRuns: 500 },
  );
};

describe("over any life of a job", () => {
  test("attempts never exceed what is allowed, and a requeue has one left", () => {
    let allowed = 0;
    lives(
      (_came, { state, envelope: next }) => {
        expect(next.attempts).toBeLessThanOrEqual(allowed);
        if (state === "requeued") expect(next.attempts).toBeLessThan(allowed);
      },
      (first, policyAttempts) => (allowed = first.maxAttempts ?? policyAttempts),
    );
  });

  test("attempts grow by one with an outcome of the handler, and with nothing else", () => {
    lives((came, { envelope: next }, { kind }) => {
      expect(next.attempts - came.attempts).toBe(
        ["succeeded", "failed", "timed-out"].includes(kind) ? 1 : 0,
      );
    });
  });

  test("each requeue has the next generation, and so a message id of its own", () => {
    const ids = new Set<string>();
    lives(
      (came, { state, envelope: next }) => {
        expect(next.generation).toBe(state === "requeued" ? came.generation + 1 : came.generation);
        if (state !== "requeued") return;
        expect(ids.has(messageIdOf(next))).toBe(false);
        ids.add(messageIdOf(next));
      },
      () => {
        ids.clear();
        ids.add(envelope.id);
      },
    );
  });

  test("the ack comes last and once, a success is on record before what follows it, and a record comes after what keeps the job alive", () => {
    lives((came, { state, steps }, outcome) => {
      const { kind } = outcome;
      const order = steps.map((step) => step.do);
      const follows = came.next === undefined ? [] : ["enqueue"];
      const expected = {
        succeeded: ["record", ...follows, "ack"],
        cancelled: ["record", "ack"],
        requeued: [kind === "blocked" ? "block" : "requeue", "record", "ack"],
        dead: ["bury", "record", "ack"],
        expired: ["bury", "record", "ack"],
        recalled: ["after" in outcome ? follows : [], "ack"].flat(),
        abandoned: [],
      }[state];
      expect(order).toEqual(expected);
    });
  });

  test("who completes a recorded success enqueues what its holder would have enqueued", () => {
    fc.assert(
      fc.property(fc.nat(), fc.anything(), fc.nat(), (later, output, deliveryCount) => {
        const chained = { ...envelope, next: [{ name: "n", queue: "q" }] };
        const first = settle(
          inputOf({ envelope: chained, outcome: { kind: "succeeded", output } }),
        );
        const second = settle(
          inputOf({
            envelope: chained,
            from: "queued",
            deliveryCount: deliveryCount + 1,
            now: NOW + later,
            node: "node-b",
            outcome: {
              kind: "recalled",
              after: { state: "succeeded", at: NOW, attempts: 1, output, sequence: 9 },
            },
          }),
        );
        expect(second.steps[0]).toEqual(first.steps[1]);
      }),
    );
  });

  test("a producer's fields stay as they were, but for a start time", () => {
    lives((came, { envelope: next }) => {
      const {
        attempts: _a,
        generation: _g,
        interruptions: _i,
        crashes: _c,
        snoozes: _s,
        firstError: _f,
        lastError: _l,
        notBefore: _n,
        reservedAt: _r,
        runnableAt: _k,
        firstStoredAt: _w,
        ...own
      } = next;
      expect(came).toMatchObject(own);
    });
  });
});

test("no other source file counts attempts", () => {
  const root = new URL("../../../", import.meta.url).pathname;
  const sources = globSync("*/src/**/*.ts", { cwd: root }).filter(
    (path) => !/\.(test|fixture)\.ts$/.test(path),
  );
  const counting =
    /\battempts\s*(\+\+|\+=)|\+\+\S*\battempts\b|(?<!const )(?<!let )\battempts\s*[:=]\s*[^,;}\n]*\battempts\s*\+/;
  const found = sources.filter((path) => counting.test(readFileSync(`${root}${path}`, "utf8")));
  expect(sources.length).toBeGreaterThan(30);
  expect(found).toEqual(["core/src/settlement/settle.ts"]);
});
