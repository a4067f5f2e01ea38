import { defineJob } from "@millrace/core";
import { expect, test } from "vitest";
import { makeNode, QUEUE } from "../fixtures/simulated-node.ts";

/** mulberry32: small, and the same on every machine, so that a failing seed fails again. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const SEEDS = Array.from({ length: 200 }, (_none, index) => index + 1);

test.each(SEEDS)(
  "start, stop and work in any order leave nothing behind (seed %i)",
  async (seed) => {
    const random = randomOf(seed);
    const job = defineJob({ name: "t.job", queue: QUEUE, timeout: "5s", grace: "1s" }).handler(
      ({ signal }) => {
        const kind = random();
        if (kind < 0.4) return "done";
        if (kind < 0.5) throw new Error("failed");
        if (kind < 0.6) return new Promise(() => {});
        return new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason as Error));
        });
      },
    );
    const { node, clock, broker } = makeNode({ jobs: [job], slots: 3, grace: "5s" });
    let listeners = 0;
    const onStatus = broker.onStatus.bind(broker);
    broker.onStatus = (listener) => {
      listeners += 1;
      const off = onStatus(listener);
      return () => {
        listeners -= 1;
        off();
      };
    };
    await broker.queues.ensure(QUEUE);
    const pending: Promise<unknown>[] = [];
    const enqueued: string[] = [];
    const verbs: (() => Promise<void> | void)[] = [
      () => void pending.push(node.start().catch((error: unknown) => error)),
      () => void pending.push(node.stop()),
      () => void pending.push(node.stop({ immediate: true })),
      () => broker.disconnect(),
      () => broker.reconnect(),
      () => broker.loseLeases(QUEUE),
      () => clock.advance(Math.floor(random() * 3_000)),
      async () => {
        const id = `j${enqueued.length}`;
        const [result] = await broker.enqueue([
          {
            id,
            name: "t.job",
            queue: QUEUE,
            payload: null,
            createdAt: clock.now(),
            headers: {},
            attempts: 0,
            generation: 0,
            interruptions: 0,
            crashes: 0,
            snoozes: 0,
          },
        ]);
        if (result?.ok === true) enqueued.push(id);
      },
    ];
    // Starts come first more often than not, or most runs would never start.
    if (random() < 0.8) void verbs[0]?.();
    for (let step = 0; step < 12; step += 1) await verbs[Math.floor(random() * verbs.length)]?.();

    pending.push(node.stop());
    await clock.advance("30s");
    await Promise.all(pending);
    expect(node.state).toBe("stopped");
    expect(node.running).toEqual([]);
    expect(listeners).toBe(0);
    broker.reconnect();
    // Leases that were let go run out by themselves; after that nothing is left to happen.
    await clock.advance("1m");
    expect(clock.pending).toBe(0);

    // Nothing is lost: each job has its outcome, or still lies in the queue or among the delayed.
    const lost: string[] = [];
    for (const id of enqueued) {
      const [last] = (await broker.history.read({ id })).slice(-1);
      const over = last !== undefined && last.state !== "requeued";
      if (!over && (await broker.findWaiting(id)) === undefined) lost.push(id);
    }
    expect(lost).toEqual([]);
  },
);
