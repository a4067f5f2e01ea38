import { describe, expect, test } from "vitest";
import { SimulatedClock } from "./simulated-clock.ts";

describe("SimulatedClock", () => {
  test("stands still until it is advanced", async () => {
    const clock = new SimulatedClock(1_000);
    expect([clock.now(), clock.monotonic()]).toEqual([1_000, 0]);
    await clock.advance("2s");
    expect([clock.now(), clock.monotonic()]).toEqual([3_000, 2_000]);
  });

  test("fires timers in the order of their times, equal ones in the order they were set, each at its own time", async () => {
    const clock = new SimulatedClock(0);
    const fired: [string, number][] = [];
    for (const [name, delayMs] of [
      ["c", 30],
      ["a", 10],
      ["b1", 20],
      ["b2", 20],
      ["late", 101],
    ] as const) {
      clock.setTimer(delayMs, () => fired.push([name, clock.now()]));
    }
    await clock.advance(100);
    expect(fired).toEqual([
      ["a", 10],
      ["b1", 20],
      ["b2", 20],
      ["c", 30],
    ]);
    expect([clock.now(), clock.pending, clock.nextTimerInMs]).toEqual([100, 1, 1]);
  });

  test("lets promise chains run between two timers", async () => {
    const clock = new SimulatedClock(0);
    const seen: string[] = [];
    const wait = (ms: number): Promise<void> =>
      new Promise((resolve) => void clock.setTimer(ms, resolve));
    const chain = async (): Promise<void> => {
      await wait(10);
      for (let step = 0; step < 50; step += 1) await Promise.resolve();
      seen.push(`chain at ${clock.now()}`);
      await wait(5);
      seen.push(`chain at ${clock.now()}`);
    };
    const done = chain();
    clock.setTimer(11, () => seen.push("timer at 11"));
    await clock.advance(20);
    await done;
    expect(seen).toEqual(["chain at 10", "timer at 11", "chain at 15"]);
  });

  test("a timer set by a callback with no delay fires in the same advance, also advance(0)", async () => {
    const clock = new SimulatedClock(0);
    let fired = 0;
    clock.setTimer(0, () => clock.setTimer(0, () => (fired += 1)));
    await clock.advance(0);
    expect([fired, clock.now(), clock.pending]).toEqual([1, 0, 0]);
  });

  test("a cancelled timer does not fire, and cancelling again does nothing", async () => {
    const clock = new SimulatedClock(0);
    let fired = 0;
    const first = clock.setTimer(5, () => second.cancel());
    const second = clock.setTimer(5, () => (fired += 1));
    await clock.advance(10);
    first.cancel();
    second.cancel();
    expect([fired, clock.pending]).toEqual([0, 0]);
  });

  test("jump moves the wall clock alone", async () => {
    const clock = new SimulatedClock(10_000);
    let firedAt: number | undefined;
    clock.setTimer(100, () => (firedAt = clock.monotonic()));
    clock.jump(-5_000);
    expect([clock.now(), clock.monotonic()]).toEqual([5_000, 0]);
    await clock.advance(100);
    expect([firedAt, clock.now()]).toEqual([100, 5_100]);
  });

  test("a callback that throws fails the advance and leaves the clock usable", async () => {
    const clock = new SimulatedClock(0);
    clock.setTimer(1, () => {
      throw new Error("from the timer");
    });
    await expect(clock.advance(10)).rejects.toThrow("from the timer");
    await clock.advance(5);
    expect(clock.now()).toBe(6);
  });

  test("refuses to be advanced twice at once", async () => {
    const clock = new SimulatedClock(0);
    const first = clock.advance(10);
    await expect(clock.advance(10)).rejects.toThrow("under way already");
    await first;
    expect(clock.now()).toBe(10);
  });

  test("weeks of upkeep take a turn of the event loop for many timers, and each timer's promises come to rest before the next", async () => {
    const clock = new SimulatedClock(0);
    const beats: number[] = [];
    const work = async (): Promise<void> => {
      for (let step = 0; step < 20; step += 1) await Promise.resolve();
      beats.push(clock.monotonic());
      beat();
    };
    const beat = (): void => void clock.setTimer(1_000, () => void work());
    beat();
    let turns = 0;
    let counting = true;
    const turn = (): void => {
      turns += 1;
      if (counting) setImmediate(turn);
    };
    setImmediate(turn);
    await clock.advance(1_000_000, { isEnough: () => beats.length === 800 });
    counting = false;
    expect(beats).toEqual(Array.from({ length: 800 }, (_, beaten) => (beaten + 1) * 1_000));
    expect(clock.monotonic()).toBe(800_000);
    expect(turns).toBeLessThan(200);
  });
});
