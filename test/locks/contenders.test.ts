import { type Broker, silentLogger, systemClock } from "@millrace/core";
import { type HeldLease, takeLock } from "@millrace/runtime";
import { expect, test } from "vitest";
import { connected } from "../broker-nats/connected.ts";
import { lasting } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";

const FOR_EVER = Number.POSITIVE_INFINITY;

describeEachServer("contenders for one lock", (server) => {
  async function take(
    { locks }: Broker,
    holder: string,
    leaseMs = lasting(2_000),
  ): Promise<HeldLease> {
    const host = { locks, clock: systemClock, log: silentLogger, random: Math.random };
    const lease = await takeLock(host, { name: "it", holder, leaseMs, waitMs: FOR_EVER });
    if (lease === undefined) throw new Error(`${holder} waited for ever and got nothing`);
    return lease;
  }

  function connections(count: number): Promise<Broker[]> {
    const namespace = server.namespace();
    return Promise.all(
      Array.from({ length: count }, () => connected({ servers: server.url, namespace })),
    );
  }

  test("never hold it at once, and each token is greater than the one before", async () => {
    const brokers = await connections(4);
    const tokens: number[] = [];
    const turns = new Map<string, number>();
    let inside = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const holder = `h${index}`;
        const broker = brokers[index % brokers.length] as Broker;
        for (let turn = 1; turn <= 8; turn += 1) {
          const lease = await take(broker, holder);
          most = Math.max(most, (inside += 1));
          tokens.push(lease.token);
          // Other traffic of the same connections meanwhile, and one that holds on over several
          // renewals.
          await (index === 0 && turn === 1 ? longer(broker, lease) : broker.ping().catch(() => {}));
          expect(lease.isHeld()).toBe(true);
          inside -= 1;
          turns.set(holder, turn);
          await lease.release();
        }
      }),
    );
    expect(most).toBe(1);
    expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
    expect(new Set(tokens).size).toBe(160);
    expect([...turns.values()]).toEqual(Array.from({ length: 20 }, () => 8));
    expect(await brokers[0]?.locks.list()).toEqual([]);
  });

  test("are woken by the release, not by a clock", async () => {
    const [one, two] = (await connections(2)) as [Broker, Broker];
    const waits: number[] = [];
    await server.calm();
    for (let round = 0; round < 20; round += 1) {
      // The lease is far longer than the test: only the release can wake the other.
      const lease = await take(one, "a", 60_000);
      const waiting = take(two, "b", 60_000).then((next) => ({ next, at: performance.now() }));
      await listening(two);
      const releasedAt = performance.now();
      await lease.release();
      const { next, at } = await waiting;
      waits.push(at - releasedAt);
      await next.release();
    }
    waits.sort((a, b) => a - b);
    console.log(`woken after ${waits.map((ms) => Math.round(ms)).join(" ")} ms`);
    // A clock would wake it after 30 s, or at the end of the lease.
    expect(waits[waits.length >> 1]).toBeLessThan(10_000);
  });

  /** The waiter listens once it has looked: two round trips, plus one for what it does first. */
  async function listening(broker: Broker): Promise<void> {
    for (let trips = 0; trips < 5; trips += 1) await broker.ping();
  }

  /** Until it was renewed twice. */
  async function longer({ locks }: Broker, { token }: HeldLease): Promise<void> {
    const seen = new Set([token]);
    await eventually(async () => seen.add((await locks.look("it"))?.token ?? token).size > 2, {
      withinMs: 20_000,
      describe: "two renewals",
    });
  }
});
