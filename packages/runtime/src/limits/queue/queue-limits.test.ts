import {
  type AnyJob,
  changeControls,
  type Clock,
  CONTROLS_BUCKET,
  defineJob,
  type QueueControlsChange,
} from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { describe, expect, test } from "vitest";
import { makeNode, QUEUE, type SimulatedNode } from "../../fixtures/simulated-node.ts";
import type { NodeOptions } from "../../node/node-options.ts";

/** `nodeClock`: what the node goes by, where it is not the server's. */
type Options = Omit<Partial<NodeOptions>, "clock"> & { readonly nodeClock?: Clock };

/** Nodes on one server, whose jobs all take the same time, with an account of what ran when. */
class Fleet {
  readonly clock = new SimulatedClock();
  readonly server = new MemoryServer(this.clock);
  readonly operator = new MemoryBroker({ clock: this.clock, server: this.server });
  /** When handlers were called, by the simulated clock. */
  readonly starts: number[] = [];
  readonly causes: string[] = [];
  alive = 0;
  mostAlive = 0;
  /** By node. */
  readonly ran = new Map<string, number>();
  #jobs = 0;
  readonly #workMs: number;

  constructor(workMs = 1_000) {
    this.#workMs = workMs;
  }

  async set(change: QueueControlsChange): Promise<void> {
    await changeControls(await this.operator.documents(CONTROLS_BUCKET), QUEUE, change);
    await this.clock.advance(0);
  }

  make(name: string, options: Options = {}): SimulatedNode {
    const { clock, server } = this;
    const defaults = { name, clock, server, slots: 10, lease: "6s", jobs: [this.#job()] } as const;
    return makeNode({ ...defaults, ...options });
  }

  async node(name: string, options: Options = {}): Promise<SimulatedNode> {
    const made = this.make(name, options);
    await made.node.start();
    await this.clock.advance(0);
    return made;
  }

  async enqueue(count: number, fields: object = {}): Promise<void> {
    const { clock } = this;
    const base = { attempts: 0, crashes: 0, interruptions: 0, snoozes: 0, generation: 0 };
    const jobs = Array.from({ length: count }, () => ({
      ...base,
      id: `j${(this.#jobs += 1)}`,
      name: "timed",
      queue: QUEUE,
      payload: null,
      createdAt: clock.now(),
      headers: {},
      ...fields,
    }));
    for (const result of await this.operator.enqueue(jobs)) expect(result.ok).toBe(true);
    await clock.advance(0);
  }

  async holders(): Promise<readonly string[]> {
    return (await this.operator.locks.list("queue-cap/")).map(({ holder }) => holder);
  }

  async left(): Promise<number> {
    const { queued, running, delayed } = await this.operator.queues.snapshot(QUEUE);
    return queued + running + delayed;
  }

  #job(): AnyJob {
    const { clock } = this;
    return defineJob({ name: "timed", queue: QUEUE, timeout: "1h" }).handler(async (context) => {
      this.starts.push(clock.monotonic());
      this.ran.set(context.node, (this.ran.get(context.node) ?? 0) + 1);
      this.alive += 1;
      this.mostAlive = Math.max(this.mostAlive, this.alive);
      try {
        await new Promise<void>((resolve, reject) => {
          const timer = clock.setTimer(this.#workMs, resolve);
          context.signal.addEventListener("abort", () => {
            timer.cancel();
            const reason = context.signal.reason as { code: string };
            this.causes.push(reason.code);
            reject(context.signal.reason as Error);
          });
        });
      } finally {
        this.alive -= 1;
      }
    });
  }
}

/** The most starts within any period. */
function mostWithin(starts: readonly number[], periodMs: number): number {
  return Math.max(
    ...starts.map((from) => starts.filter((at) => at >= from && at < from + periodMs).length),
  );
}

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
