import { describe, expect, test } from "vitest";
import { SimulatedClock } from "@millrace/testkit";
import { DisciplinedClock } from "./disciplined-clock.ts";

/** A machine whose clock is off by so much, a server that is right, and the way between them. */
function scene(offsetMs = 0) {
  const server = new SimulatedClock();
  let offMs = offsetMs;
  const machine = {
    now: () => server.now() + offMs,
    monotonic: () => server.monotonic(),
    setTimer: server.setTimer.bind(server),
  };
  const clock = new DisciplinedClock(machine);
  return {
    server,
    clock,
    set: (ms: number) => void (offMs += ms),
    /** How far what is stamped is from the server's time. */
    offBy: () => clock.now() - server.now(),
    /** @param tookMs each way; @param server.setBackMs how far the server's clock is set back */
    ask: ({ there = 0, back = 0, setBackMs = 0 } = {}) =>
      clock.ask(async () => {
        await server.advance(there);
        const told = server.now() - setBackMs;
        await server.advance(back);
        return told;
      }),
  };
}

describe("a clock that follows the server's", () => {
  test.each([600_000, -600_000, 2_000, -2_000])(
    "is right from the first answer on where the machine is off by %i ms",
    async (offsetMs) => {
      const { ask, clock, offBy } = scene(offsetMs);
      expect(offBy()).toBe(offsetMs);
      await ask();
      expect(offBy()).toBe(0);
      expect(clock.aheadMs).toBe(offsetMs);
    },
  );

  test("leaves a clock alone that may be right, however slow and uneven the answers are", async () => {
    const { ask, clock, offBy } = scene();
    for (const way of [{ there: 900 }, { back: 900 }, { there: 3, back: 40 }]) await ask(way);
    expect(offBy()).toBe(0);
    expect(clock.aheadMs).toBe(0);
  });

  test("keeps what a quick answer told when slow ones follow", async () => {
    const { ask, offBy } = scene(300);
    await ask();
    await ask({ there: 2_000 });
    await ask({ back: 2_000 });
    expect(offBy()).toBe(0);
  });

  test.each([600_000, -600_000, 1_000, -1_000])(
    "goes on as before and asks to look again when the machine's clock is set by %i ms",
    async (ms) => {
      const { ask, clock, offBy, server, set } = scene(5);
      await ask();
      let steps = 0;
      clock.onStep(() => void (steps += 1));
      await server.advance("1m");
      expect(steps).toBe(0);
      set(ms);
      expect(offBy()).toBe(0);
      expect(steps).toBe(1);
      await ask();
      expect(offBy()).toBe(0);
      await server.advance("1m");
      expect(steps).toBe(1);
    },
  );

  test("is set by the machine's owner while no server has said anything", () => {
    const { offBy, set } = scene();
    set(600_000);
    expect(offBy()).toBe(600_000);
  });

  test("never goes back while the machine is set and corrected", async () => {
    const { ask, clock, server, set } = scene(1_500);
    await ask();
    let last = clock.now();
    const steps = [100, -100, 200, -240, 3_000, -7_000, -200, 90, -600_000, 600_000];
    for (const ms of steps) {
      set(ms);
      for (const look of [true, false]) {
        if (look) await ask({ there: 20, back: 70 });
        await server.advance(30);
        expect(clock.now()).toBeGreaterThanOrEqual(last);
        last = clock.now();
      }
    }
  });

  test("stands still for what it was ahead, then goes on", async () => {
    const { ask, offBy, server } = scene();
    await ask();
    expect(offBy()).toBe(0);
    await ask({ setBackMs: 3_000 });
    expect(offBy()).toBe(0);
    await server.advance("2s");
    expect(offBy()).toBe(-2_000);
    await server.advance("10s");
    expect(offBy()).toBe(-3_000);
  });

  test("goes back with a server that was set back by more than that", async () => {
    const { ask, offBy } = scene();
    await ask();
    expect(offBy()).toBe(0);
    await ask({ setBackMs: 3_600_000 });
    expect(offBy()).toBe(-3_600_000);
  });

  test("leaves timers and the monotonic clock to the machine", async () => {
    const { ask, clock, server } = scene(600_000);
    const fired: number[] = [];
    const start = clock.monotonic();
    clock.setTimer(1_000, () => void fired.push(clock.monotonic() - start));
    await ask();
    await server.advance("2s");
    expect(fired).toEqual([1_000]);
    expect(clock.monotonic()).toBe(server.monotonic());
  });
});
