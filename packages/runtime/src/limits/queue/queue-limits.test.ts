import { describe, expect, test } from "vitest";
import { QUEUE } from "../../fixtures/simulated-node.ts";
import { Fleet } from "../../fixtures/limited-fleet.ts";

describe("a pause", () => {
  test("lets what runs go on, and nothing new start before the queue is resumed", async () => {
    const fleet = new Fleet();
    await fleet.node("a");
    await fleet.enqueue(1);
    await fleet.set({ paused: { since: 0 } });
    await fleet.enqueue(2);
    await fleet.clock.advance("10m");
    expect(fleet.starts).toEqual([0]);
    expect(await fleet.left()).toBe(2);
    await fleet.set({ paused: null });
    await fleet.clock.advance("1s");
    expect(await fleet.left()).toBe(0);
  });

  test("holds for nodes that start meanwhile; delayed jobs become due and wait", async () => {
    const fleet = new Fleet();
    await fleet.set({ paused: { since: 0 } });
    const { node } = await fleet.node("a");
    await fleet.enqueue(1, { notBefore: fleet.clock.now() + 5_000 });
    await fleet.set({ paused: null });
    await fleet.set({ paused: { since: 1 } });
    expect((await fleet.operator.queues.snapshot(QUEUE)).delayed).toBe(1);
    await fleet.clock.advance("1h");
    expect(await fleet.operator.queues.snapshot(QUEUE)).toMatchObject({ queued: 1, delayed: 0 });
    expect(fleet.starts).toEqual([]);
    // A silent queue is no reason to restart the node.
    expect(node.health()).toMatchObject({ live: true, ready: true });
    await fleet.set({ paused: null });
    expect(fleet.starts).toHaveLength(1);
    expect(node.health().live).toBe(true);
  });

  test("a queue that is closed is closed again where a node has to make it anew", async () => {
    const fleet = new Fleet();
    await fleet.set({ closed: { since: 0 } });
    await fleet.node("a");
    expect((await fleet.operator.queues.snapshot(QUEUE)).intake).toBe("closed");
  });
});

describe("a cap", () => {
  test("holds over all nodes, and the whole of it is used", async () => {
    const fleet = new Fleet();
    await fleet.set({ concurrency: 3 });
    await fleet.node("a");
    await fleet.node("b");
    await fleet.enqueue(30);
    await fleet.clock.advance("11s");
    expect(await fleet.left()).toBe(0);
    expect(fleet.mostAlive).toBe(3);
  });

  test("comes from the node's options until a control says otherwise, and can be taken away", async () => {
    const fleet = new Fleet();
    await fleet.node("a", { queues: { [QUEUE]: { concurrency: 2 } } });
    await fleet.enqueue(40);
    await fleet.clock.advance("2s");
    expect(fleet.mostAlive).toBe(2);
    await fleet.set({ concurrency: 5 });
    await fleet.clock.advance("2s");
    expect(fleet.mostAlive).toBe(5);
    await fleet.set({ concurrency: null });
    await fleet.clock.advance("1s");
    expect(fleet.alive).toBe(2);
  });

  test("goes up and down while jobs run; those that run are left alone", async () => {
    const fleet = new Fleet(5_000);
    await fleet.node("a");
    await fleet.node("b");
    await fleet.enqueue(100);
    expect(fleet.alive).toBe(20);
    await fleet.set({ concurrency: 4 });
    await fleet.clock.advance("4s");
    expect(fleet.alive).toBe(20);
    fleet.mostAlive = 0;
    await fleet.clock.advance("2s");
    expect(fleet.alive).toBe(4);
    await fleet.clock.advance("30s");
    expect(fleet.mostAlive).toBeLessThanOrEqual(20);
    fleet.mostAlive = fleet.alive;
    await fleet.clock.advance("20s");
    expect(fleet.mostAlive).toBe(4);
    await fleet.set({ concurrency: 12 });
    await fleet.clock.advance("6s");
    expect(fleet.alive).toBe(12);
    await fleet.set({ concurrency: 1 });
    await fleet.clock.advance("10s");
    expect(fleet.alive).toBe(1);
    expect(fleet.causes).toEqual([]);
  });

  test("above 64 permits stand for several slots", async () => {
    const fleet = new Fleet();
    await fleet.set({ concurrency: 100 });
    for (const name of ["a", "b", "c"]) await fleet.node(name, { slots: 60 });
    await fleet.enqueue(400);
    await fleet.clock.advance("10s");
    expect(await fleet.left()).toBe(0);
    expect(fleet.mostAlive).toBeGreaterThan(90);
    expect(fleet.mostAlive).toBeLessThanOrEqual(100);
  });

  test("what lies idle goes back in a second but for one, and that one goes to whoever waits", async () => {
    const fleet = new Fleet();
    await fleet.set({ concurrency: 4 });
    await fleet.node("a");
    await fleet.enqueue(8);
    expect(await fleet.holders()).toEqual(["a", "a", "a", "a"]);
    await fleet.clock.advance("4100ms");
    expect(await fleet.holders()).toEqual(["a"]);
    await fleet.set({ concurrency: 1 });
    await fleet.node("b");
    await fleet.clock.advance("7s");
    expect(await fleet.holders()).toEqual(["b"]);
    await fleet.enqueue(1);
    expect(fleet.ran).toEqual(
      new Map([
        ["a", 8],
        ["b", 1],
      ]),
    );
  });

  test("a node that waits takes over within moments when the holder stops", async () => {
    const fleet = new Fleet();
    await fleet.set({ concurrency: 1 });
    const a = await fleet.node("a");
    await fleet.node("b");
    await fleet.enqueue(1);
    expect(fleet.ran.get("a")).toBe(1);
    const stopped = a.node.stop();
    await fleet.clock.advance("1100ms");
    await stopped;
    await fleet.enqueue(1);
    expect(fleet.ran.get("b")).toBe(1);
  });

  test("a node that is cut off loses its permits and stops its jobs before another runs more", async () => {
    const fleet = new Fleet(60_000);
    await fleet.set({ concurrency: 4 });
    const a = await fleet.node("a");
    await fleet.enqueue(20);
    expect(fleet.alive).toBe(4);
    await fleet.node("b");
    a.broker.disconnect();
    await fleet.clock.advance("7s");
    expect(fleet.mostAlive).toBe(4);
    expect(fleet.causes).toHaveLength(4);
    expect(fleet.ran.get("b")).toBe(4);
    a.broker.reconnect();
    await fleet.clock.advance("10s");
    expect([fleet.alive, fleet.mostAlive]).toEqual([4, 4]);
  });

  test("a permit that an operator takes away stops the latest job, which goes back unspent", async () => {
    const fleet = new Fleet(60_000);
    await fleet.set({ concurrency: 2 });
    const a = await fleet.node("a");
    await fleet.enqueue(2);
    const [permit] = await fleet.operator.locks.list("queue-cap/");
    if (permit === undefined) throw new Error("no permit is held");
    await fleet.operator.locks.release(permit);
    await fleet.clock.advance("3s");
    expect(fleet.causes).toEqual(["lock-lost"]);
    await fleet.clock.advance("1s");
    expect([fleet.alive, fleet.mostAlive]).toEqual([2, 2]);
    expect(a.said).toContain("settled j2 requeued interrupted");
  });

  test("nothing is left behind by a stop", async () => {
    const fleet = new Fleet();
    await fleet.set({ concurrency: 5, rate: { limit: 100, perMs: 1_000 } });
    const nodes = [await fleet.node("a"), await fleet.node("b")];
    await fleet.enqueue(50);
    await fleet.clock.advance("3s");
    await Promise.all(nodes.map(({ node }) => node.stop({ immediate: true })));
    expect(await fleet.holders()).toEqual([]);
    expect(await fleet.operator.locks.list()).toEqual([]);
    expect(fleet.clock.pending).toBe(0);
  });
});
