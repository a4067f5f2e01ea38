import { SimulatedClock } from "@millrace/testkit";
import fc from "fast-check";
import { expect, test } from "vitest";
import { DueTimes } from "./due-times.ts";

test("hands out in the order of times, together what is due together, and nothing early", async () => {
  const clock = new SimulatedClock();
  const start = clock.now();
  const got: (readonly [string, number])[][] = [];
  const times = new DueTimes<string>(clock, (things) =>
    got.push(things.map((thing) => [thing, clock.now() - start])),
  );
  times.add(start + 30, "c");
  times.add(start + 10, "a");
  times.add(start + 10, "b");
  times.add(start + 9.5, "fraction");
  await clock.advance(5);
  expect(got).toEqual([]);
  await clock.advance(40);
  expect(got.flat()).toEqual([
    ["a", 10],
    ["b", 10],
    ["fraction", 10],
    ["c", 30],
  ]);
  expect(got[0]).toHaveLength(3);
});

test("what is due already is handed out soon, never within the call", async () => {
  const clock = new SimulatedClock();
  const got: string[] = [];
  const times = new DueTimes<string>(clock, (things) => got.push(...things));
  times.add(clock.now() - 1_000, "late");
  expect(got).toEqual([]);
  await clock.advance(0);
  expect(got).toEqual(["late"]);
});

test("a timer that fires early hands out nothing before its time", async () => {
  const clock = new SimulatedClock();
  const hasty = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    setTimer: (delayMs: number, fire: () => void) => clock.setTimer(Math.max(1, delayMs - 3), fire),
  };
  const start = clock.now();
  const got: number[] = [];
  const times = new DueTimes<string>(hasty, () => got.push(clock.now() - start));
  times.add(start + 10, "a");
  await clock.advance(20);
  expect(got).toEqual([10]);
});

test("cleared, it gives back what it kept and hands out nothing more", async () => {
  const clock = new SimulatedClock();
  const got: string[] = [];
  const times = new DueTimes<string>(clock, (things) => got.push(...things));
  times.add(clock.now() + 10, "a");
  times.add(clock.now() + 20, "b");
  expect(times.clear()).toEqual(["a", "b"]);
  await clock.advance(50);
  expect(got).toEqual([]);
  times.add(clock.now() + 10, "c");
  await clock.advance(50);
  expect(got).toEqual(["c"]);
});

test("any times in any order come out sorted, each once, none early and none left", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(500), { maxLength: 200 }), async (offsets) => {
      const clock = new SimulatedClock();
      const start = clock.now();
      const got: number[] = [];
      const times = new DueTimes<number>(clock, (things) => {
        for (const offset of things) {
          expect(clock.now() - start).toBeGreaterThanOrEqual(offset);
          got.push(offset);
        }
      });
      for (const offset of offsets) times.add(start + offset, offset);
      await clock.advance(600);
      expect(got).toEqual(offsets.toSorted((a, b) => a - b));
    }),
    { numRuns: 50 },
  );
});
