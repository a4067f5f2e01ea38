import { DEFAULT_LANE_WEIGHTS, LANE_NAMES, type LaneName } from "@millrace/core";
import { describe, expect, test } from "vitest";
import type { LaneState } from "./lane-plan.ts";
import { type Seat, LaneScheduler } from "./lane-scheduler.ts";

interface TestSeat extends Seat {
  readonly pull: { outstanding: number; refill(): void };
}

/**
 * Seats whose refill asks for what was dealt, or notes that it was asked; a broken one can't ask.
 */
function table(states: Readonly<Record<LaneName, LaneState>>, broken: readonly LaneName[] = []) {
  const refilled: LaneName[] = [];
  const seats = LANE_NAMES.map((name): TestSeat => {
    const seat: TestSeat = {
      name,
      state: states[name],
      dealt: 0,
      pull: {
        outstanding: 0,
        refill: () => {
          if (broken.includes(name)) return;
          refilled.push(name);
          seat.pull.outstanding += seat.dealt;
          seat.dealt = 0;
        },
      },
    };
    return seat;
  });
  return { seats, refilled, asked: () => seats.map(({ pull }) => pull.outstanding) };
}

const dealer = (free: number): LaneScheduler => new LaneScheduler(DEFAULT_LANE_WEIGHTS, () => free);

describe("the dealer", () => {
  test("shares the free slots by weight", () => {
    const { seats, asked } = table({ high: "backlog", normal: "backlog", low: "unknown" });
    dealer(20).share(seats);
    expect(asked()).toEqual([12, 6, 2]);
  });

  test("deals no more than is free, what is on its way deducted", () => {
    const { seats, asked } = table({ high: "backlog", normal: "backlog", low: "cold" });
    const [high, normal, low] = seats;
    if (high) high.pull.outstanding = 7;
    if (normal) normal.pull.outstanding = 4;
    if (low) low.pull.outstanding = 1;
    dealer(11).share(seats);
    dealer(0).share(seats);
    expect([asked(), seats.map(({ dealt }) => dealt)]).toEqual([
      [7, 4, 1],
      [0, 0, 0],
    ]);
    // Dealt while an answer is on its way, and asked for after it.
    dealer(14).share(seats);
    expect([asked(), (high?.dealt ?? 0) + (normal?.dealt ?? 0)]).toEqual([[7, 4, 1], 3]);
  });

  test("lets all ask where none is busy", () => {
    const { seats, refilled } = table({ high: "cold", normal: "warm", low: "cold" });
    dealer(3).share(seats);
    expect(refilled).toEqual(["high", "normal", "low"]);
  });

  test("lets idle ones ask by turns while one is busy", () => {
    const { seats, refilled } = table({ high: "cold", normal: "backlog", low: "cold" });
    const rounds = dealer(1);
    const turns: string[] = [];
    for (let round = 0; round < 40; round += 1) {
      refilled.length = 0;
      for (const { pull } of seats) pull.outstanding = 0;
      rounds.share(seats);
      turns.push(refilled.filter((name) => name !== "normal").join());
      expect(refilled).toContain("normal");
    }
    const count = (lane: string): number => turns.filter((turn) => turn === lane).length;
    expect([count("high"), count("low")]).toEqual([24, 4]);
  });

  test("gives what a broken lane can't ask for to the others", () => {
    const { seats, asked } = table({ high: "backlog", normal: "backlog", low: "backlog" }, [
      "high",
    ]);
    dealer(8).share(seats);
    const dealt = seats.map((seat) => seat.dealt);
    // Part of it at once, the rest when the answer to that has come.
    const [high = 0, normal = 0, low = 0] = asked().map((now, at) => now + (dealt[at] ?? 0));
    expect([high, normal + low]).toEqual([0, 8]);
    expect(low).toBeGreaterThan(0);
  });

  test("ends where none can ask", () => {
    const { seats, asked } = table(
      { high: "unknown", normal: "unknown", low: "unknown" },
      LANE_NAMES,
    );
    dealer(8).share(seats);
    expect(asked()).toEqual([0, 0, 0]);
  });
});
