import type { Clock } from "@millrace/core";
import type { SimulatedClock } from "@millrace/testkit";
import { describe, expect, test } from "vitest";
import { Fleet } from "../../fixtures/limited-fleet.ts";

/** The most starts within any period. */
function mostWithin(starts: readonly number[], periodMs: number): number {
  return Math.max(
    ...starts.map((from) => starts.filter((at) => at >= from && at < from + periodMs).length),
  );
}

describe("a rate", () => {
  test("is kept over two nodes: a burst, then the limit, to a few percent", async () => {
    const fleet = new Fleet(10);
    await fleet.set({ rate: { limit: 50, perMs: 1_000 } });
    await fleet.node("a");
    await fleet.node("b");
    await fleet.enqueue(1_000);
    await fleet.clock.advance("10s");
    expect(mostWithin(fleet.starts, 1_000)).toBeLessThanOrEqual(100);
    const steady = fleet.starts.filter((at) => at >= 2_000 && at < 10_000).length / 8;
    expect(steady).toBeGreaterThan(50 * 0.95);
    expect(steady).toBeLessThanOrEqual(50 * 1.02);
    expect(fleet.starts.length).toBeLessThanOrEqual(550);
    expect([...fleet.ran.keys()].toSorted()).toEqual(["a", "b"]);
  });

  test("a slow one is exact, costs no attempt, and nodes only wait for the next token", async () => {
    const fleet = new Fleet(10);
    await fleet.set({ rate: { limit: 2, perMs: 60_000 } });
    for (const name of ["a", "b", "c"]) await fleet.node(name);
    await fleet.enqueue(10);
    await fleet.clock.advance("245s");
    expect(fleet.starts).toHaveLength(10);
    expect(mostWithin(fleet.starts, 60_000)).toBeLessThanOrEqual(4);
    const histories = await Promise.all(
      Array.from({ length: 10 }, (_, n) => fleet.operator.history.read({ id: `j${n + 1}` })),
    );
    expect(histories.map((records) => records.map(({ attempts }) => attempts))).toEqual(
      Array.from({ length: 10 }, () => [1]),
    );
  });

  test("a long quiet time doesn't add up to more than one burst, whatever nodes hold", async () => {
    const fleet = new Fleet(10);
    await fleet.set({ rate: { limit: 20, perMs: 1_000 } });
    for (const name of ["a", "b", "c"]) await fleet.node(name);
    for (let round = 0; round < 4; round += 1) {
      await fleet.enqueue(40);
      await fleet.clock.advance("13s");
    }
    expect(await fleet.left()).toBe(0);
    expect(mostWithin(fleet.starts, 1_000)).toBeLessThanOrEqual(40);
    expect(mostWithin(fleet.starts, 1_000)).toBeGreaterThan(30);
  });

  test("can be changed and taken away while jobs wait", async () => {
    const fleet = new Fleet(10);
    await fleet.set({ rate: { limit: 1, perMs: 3_600_000 } });
    await fleet.node("a");
    await fleet.enqueue(1_000);
    await fleet.clock.advance("1m");
    expect(fleet.starts).toHaveLength(1);
    await fleet.set({ rate: { limit: 10, perMs: 1_000 } });
    await fleet.clock.advance("10s");
    expect(fleet.starts.length).toBeGreaterThan(90);
    expect(fleet.starts.length).toBeLessThan(122);
    await fleet.set({ rate: null });
    await fleet.clock.advance("2s");
    expect(await fleet.left()).toBe(0);
  });

  test.each([600_000, -600_000])(
    "a server's clock that jumps by %i ms costs a burst at most, though nodes hear of it one after the other",
    async (jumpMs) => {
      const fleet = new Fleet(10);
      await fleet.set({ rate: { limit: 10, perMs: 1_000 } });
      await fleet.node("a");
      await fleet.enqueue(400);
      await fleet.clock.advance("5s");
      fleet.clock.jump(jumpMs);
      await fleet.node("b");
      await fleet.clock.advance("10s");
      expect(mostWithin(fleet.starts, 1_000)).toBeLessThanOrEqual(30);
      expect(fleet.starts.length).toBeGreaterThan(150);
      expect(fleet.starts.length).toBeLessThanOrEqual(172);
    },
  );

  test("nodes whose own wall clocks are minutes apart keep it all the same", async () => {
    const fleet = new Fleet(10);
    await fleet.set({ rate: { limit: 10, perMs: 1_000 } });
    for (const [name, offMs] of [
      ["a", 600_000],
      ["b", -600_000],
    ] as const)
      await fleet.node(name, { nodeClock: skewed(fleet.clock, offMs) });
    await fleet.enqueue(200);
    await fleet.clock.advance("10s");
    expect(mostWithin(fleet.starts, 1_000)).toBeLessThanOrEqual(20);
    expect(fleet.starts.length).toBeGreaterThan(95);
  });

  test("together with a cap both hold", async () => {
    const fleet = new Fleet(500);
    await fleet.set({ concurrency: 3, rate: { limit: 4, perMs: 1_000 } });
    await fleet.node("a");
    await fleet.node("b");
    await fleet.enqueue(60);
    await fleet.clock.advance("10s");
    expect(fleet.mostAlive).toBeLessThanOrEqual(3);
    expect(mostWithin(fleet.starts, 1_000)).toBeLessThanOrEqual(8);
    expect(fleet.starts.length).toBeGreaterThan(36);
  });

  test("a node without a connection waits, and goes on afterwards", async () => {
    const fleet = new Fleet(10);
    await fleet.set({ rate: { limit: 10, perMs: 1_000 } });
    const a = await fleet.node("a");
    await fleet.clock.advance("2s");
    a.broker.disconnect();
    await fleet.clock.advance("30s");
    await fleet.enqueue(30);
    expect(fleet.starts).toEqual([]);
    a.broker.reconnect();
    await fleet.clock.advance("4s");
    expect(await fleet.left()).toBe(0);
  });
});

function skewed(clock: SimulatedClock, offMs: number): Clock {
  return {
    now: () => clock.now() + offMs,
    monotonic: () => clock.monotonic(),
    setTimer: (delayMs, fire) => clock.setTimer(delayMs, fire),
  };
}
