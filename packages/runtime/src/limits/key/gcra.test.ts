import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  HORIZON_MS,
  type Rate,
  rateInForce,
  type RateState,
  reserve,
  roomWithinHorizon,
} from "./gcra.ts";

const NOW = 1_700_000_000_000;

function takeAll(
  rate: Rate,
  now = NOW,
  known?: RateState,
): { starts: number[]; state: RateState | undefined } {
  const starts: number[] = [];
  let state = known;
  for (;;) {
    const taken = reserve(state, rate, now);
    if (taken === undefined) return { starts, state };
    starts.push(taken.startMs);
    state = taken.next;
  }
}

describe("reserve", () => {
  test("gives a burst at once, then one after the other, up to the horizon", () => {
    const { starts } = takeAll({ limit: 3, perMs: 30_000 });
    expect(starts.map((at) => at - NOW)).toEqual([
      0, 0, 0, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000,
    ]);
  });

  test("what was not used for a while comes back, and no more than a burst", () => {
    const rate = { limit: 3, perMs: 30_000 };
    const { state } = takeAll(rate);
    const first = reserve(state, rate, NOW + 70_001);
    expect(first?.startMs).toBe(NOW + 70_001);
    expect(
      takeAll(rate, NOW + 3_600_000, state).starts.filter((at) => at === NOW + 3_600_000),
    ).toHaveLength(3);
  });

  test("a rate that changes keeps what is owed, in starts", () => {
    const slow = takeAll({ limit: 1, perMs: 20_000 });
    expect(slow.starts).toHaveLength(4);
    const fast = reserve(slow.state, { limit: 10, perMs: 1_000 }, NOW);
    // Four starts are owed, and ten are free at once.
    expect(fast?.startMs).toBe(NOW);
    expect(reserve(slow.state, { limit: 1, perMs: 1_000 }, NOW)?.startMs).toBe(NOW + 4_000);
  });

  test("a clock that was set back makes nobody wait longer than the horizon and a period", () => {
    const rate = { limit: 2, perMs: 1_000 };
    const state = { ...rate, paidAtMs: NOW + 3_600_000 };
    expect(reserve(state, rate, NOW)?.startMs ?? NOW + HORIZON_MS).toBeLessThanOrEqual(
      NOW + HORIZON_MS + 1_000,
    );
    const later = reserve(state, rate, NOW + HORIZON_MS + 1_000);
    expect(later === undefined || later.startMs - NOW <= 2 * HORIZON_MS + 2_000).toBe(true);
  });

  test("over any stretch no more start than a burst and what the stretch brings", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 10, max: 60_000 }),
        fc.array(fc.integer({ min: 0, max: 5_000 }), { minLength: 1, maxLength: 60 }),
        (limit, perMs, gaps) => {
          const rate = { limit, perMs };
          const starts: number[] = [];
          let now = NOW;
          let state: RateState | undefined;
          for (const gap of gaps) {
            now += gap;
            const taken = reserve(state, rate, now);
            if (taken === undefined) continue;
            state = taken.next;
            starts.push(taken.startMs);
          }
          starts.sort((a, b) => a - b);
          for (let from = 0; from < starts.length; from += 1)
            for (let to = from; to < starts.length; to += 1) {
              const stretchMs = (starts[to] as number) - (starts[from] as number);
              expect(to - from + 1).toBeLessThanOrEqual(limit + (stretchMs * limit) / perMs + 1e-6);
            }
        },
      ),
      { numRuns: 200 },
    );
  });
});

test("the room is what reserve would give", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 100, max: 120_000 }),
      fc.integer({ min: 0, max: 30 }),
      fc.integer({ min: 0, max: 90_000 }),
      (limit, perMs, taken, passedMs) => {
        const rate = { limit, perMs };
        let state: RateState | undefined;
        for (let n = 0; n < taken; n += 1) state = reserve(state, rate, NOW)?.next ?? state;
        const room = roomWithinHorizon(state, rate, NOW + passedMs);
        const given = takeAll(rate, NOW + passedMs, state).starts.length;
        // Fractions of a step may fall to either side.
        expect(Math.abs(room - given)).toBeLessThanOrEqual(1 + given / 1_000);
      },
    ),
    { numRuns: 100 },
  );
});

test("of several definitions' rates a key's own counts, and the slowest where it was changed", () => {
  const slow = { limit: 1, perMs: 86_400_000 };
  const fast = { limit: 1_000, perMs: 1_000 };
  const hourly = { limit: 1, perMs: 3_600_000 };
  expect(rateInForce(slow, [fast, slow])).toEqual(slow);
  expect(rateInForce(slow, [fast, hourly])).toEqual(hourly);
  expect(rateInForce(slow, [fast])).toEqual(fast);
  expect(rateInForce(slow, [])).toEqual(slow);
});
