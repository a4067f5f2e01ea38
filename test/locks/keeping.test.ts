import type { HeldLock, LockKeeping, LockStore } from "@millrace/core";
import type { NatsBroker } from "@millrace/broker-nats";
import { beforeEach, expect, test } from "vitest";
import { connected } from "../broker-nats/connected.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";

/** Its fractions are longer than a busy machine keeps a thread waiting. */
const CLAIM = { holder: "a", leaseMs: 3_000 };

describeEachServer("a lock that a node's thread extends", (server) => {
  // Its leases are shorter than an election; test 3 has longer ones.
  beforeEach(() => server.calm());

  async function twoNodes(): Promise<[NatsBroker, LockStore]> {
    const options = { servers: server.url, namespace: server.namespace() };
    const [node, other] = await Promise.all([connected(options), connected(options)]);
    await node.queues.ensure("idle");
    await node.work("idle", { freeSlots: () => 1, onDelivery: () => {}, leaseMs: CLAIM.leaseMs });
    return [node, other.locks];
  }

  /** Nobody renews it: what extends it is the thread alone. */
  async function kept(locks: LockStore): Promise<readonly [HeldLock, LockKeeping]> {
    const lock = await locks.acquire("it", CLAIM);
    const keeping = lock && locks.keep?.(lock, CLAIM, 0);
    if (lock === undefined || keeping === undefined) throw new Error("the lock is not kept");
    return [lock, keeping];
  }

  async function extended(others: LockStore, lock: HeldLock, times: number): Promise<void> {
    const tokens = new Set([lock.token]);
    await eventually(
      async () => tokens.add((await others.look("it"))?.token ?? lock.token).size > times,
      { withinMs: 20_000, describe: `${times} extensions` },
    );
  }

  test("stays held, is renewed by its holder under what the thread wrote, and is freed under it", async () => {
    const [{ locks }, others] = await twoNodes();
    const [lock, keeping] = await kept(locks);
    expect(keeping.extendedAgoMs()).toBeUndefined();
    await extended(others, lock, 3);
    expect(keeping.extendedAgoMs()).toBeLessThan(CLAIM.leaseMs);
    expect(await others.acquire("it", { ...CLAIM })).toBeUndefined();

    const renewed = await locks.renew(lock, CLAIM);
    expect(renewed.token).toBeGreaterThan(lock.token + 2);
    const again = locks.keep?.(renewed, CLAIM, 0);
    keeping.end();
    await extended(others, renewed, 2);
    again?.end();
    expect(await locks.release(renewed)).toBe(true);
    expect(await others.look("it")).toBeUndefined();
  });

  test("is extended at half of its lease, and each third from there on", async () => {
    const [{ locks }, others] = await twoNodes();
    const [lock] = await kept(locks);
    const writtenMs: number[] = [];
    const tokens = new Set<number>();
    await eventually(
      async () => {
        const seen = await others.look("it");
        if (seen === undefined || tokens.has(seen.token)) return false;
        tokens.add(seen.token);
        writtenMs.push(performance.now() - (seen.leaseMs - seen.leftMs));
        return tokens.size > 4;
      },
      { withinMs: 20_000, describe: "four extensions" },
    );
    expect(tokens.has(lock.token)).toBe(true);
    const [first = 0, ...later] = writtenMs.slice(1).map((at, n) => at - (writtenMs[n] ?? 0));
    expect(first).toBeGreaterThan(0.45 * CLAIM.leaseMs);
    // One that a busy machine did not delay.
    expect(Math.min(...later)).toBeLessThan(0.45 * CLAIM.leaseMs);
  });

  test("frees itself when it is kept no more", async () => {
    const [{ locks }, others] = await twoNodes();
    const [lock, keeping] = await kept(locks);
    await extended(others, lock, 1);
    keeping.end();
    keeping.end();
    expect(keeping.extendedAgoMs()).toBeUndefined();
    await eventually(() => others.acquire("it", { ...CLAIM }), {
      withinMs: 20_000 + 3 * CLAIM.leaseMs,
      describe: "the lock is free",
    });
    await expect(locks.renew(lock, CLAIM)).rejects.toMatchObject({ code: "lock-lost" });
  });

  test("is not taken back from an operator who freed it, nor from who has it then", async () => {
    const [{ locks }, others] = await twoNodes();
    const [lock] = await kept(locks);
    await extended(others, lock, 1);
    await eventually(
      async () => {
        const seen = await others.look("it");
        return seen !== undefined && (await others.release(seen));
      },
      { withinMs: 20_000, describe: "an operator's release" },
    );
    const next = await others.acquire("it", { holder: "b", leaseMs: 60_000 });
    const since = performance.now();
    await eventually(() => performance.now() - since > 2 * CLAIM.leaseMs, {
      withinMs: 20_000 + 3 * CLAIM.leaseMs,
      describe: "two leases have passed",
    });
    expect(await others.look("it")).toMatchObject({ holder: "b", token: next?.token });
    await expect(locks.renew(lock, CLAIM)).rejects.toMatchObject({ code: "lock-lost" });
  });

  test("is none where no thread is at work, where its lease is too short, or its holder's name too long", async () => {
    const [{ locks }, others] = await twoNodes();
    const lock = await others.acquire("it", CLAIM);
    if (lock === undefined) throw new Error("the lock is free and was not given");
    expect(others.keep?.(lock, CLAIM, 0)).toBeUndefined();
    expect(locks.keep?.(lock, { ...CLAIM, leaseMs: 700 }, 0)).toBeUndefined();
    expect(locks.keep?.(lock, { ...CLAIM, holder: "x".repeat(1_000) }, 0)).toBeUndefined();
  });
});
