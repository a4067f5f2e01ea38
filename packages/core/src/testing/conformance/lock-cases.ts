import assert from "node:assert/strict";
import type { HeldLock } from "../../broker/lock-store.ts";
import {
  type ConformanceCase,
  conformanceCase,
  rejectsWith,
  type Scene,
  sharedCase,
} from "./scene.ts";

async function acquire(scene: Scene, holder: string, { locks } = scene.broker): Promise<HeldLock> {
  const { leaseMs } = scene.harness;
  const lock = await locks.acquire(`lock-${scene.queue}`, { holder, leaseMs });
  assert.ok(lock, `${holder} did not get the lock`);
  scene.later(() => locks.release(lock));
  return lock;
}

export const lockCases: readonly ConformanceCase[] = [
  conformanceCase(
    "locks: one holder at a time, and its token grows with every holder and renewal",
    async (scene) => {
      const { locks } = scene.broker;
      const { leaseMs } = scene.harness;
      const first = await acquire(scene, "a");
      assert.equal(await locks.acquire(first.name, { holder: "b", leaseMs }), undefined);
      const renewed = await locks.renew(first, { holder: "a", leaseMs });
      assert.equal(await locks.acquire(first.name, { holder: "b", leaseMs }), undefined);
      assert.equal(await locks.release(renewed), true);
      const second = await acquire(scene, "b");
      assert.ok(
        first.token < renewed.token && renewed.token < second.token,
        `${first.token}, ${renewed.token}, ${second.token}`,
      );
      assert.deepEqual(
        [first.name, renewed.name, second.name],
        [first.name, first.name, first.name],
      );
    },
  ),

  conformanceCase("locks: a stale token renews nothing and frees nothing", async (scene) => {
    const { locks } = scene.broker;
    const { leaseMs } = scene.harness;
    const first = await acquire(scene, "a");
    const renewed = await locks.renew(first, { holder: "a", leaseMs });
    await rejectsWith("lock-lost", locks.renew(first, { holder: "a", leaseMs }));
    assert.equal(await locks.release(first), false);
    assert.equal(await locks.acquire(first.name, { holder: "b", leaseMs }), undefined);
    assert.equal(await locks.release(renewed), true);
    assert.equal(await locks.release(renewed), false);
    await rejectsWith("lock-lost", locks.renew(renewed, { holder: "a", leaseMs }));
    const second = await acquire(scene, "b");
    assert.equal(await locks.release(renewed), false);
    await locks.renew(second, { holder: "b", leaseMs });
  }),

  conformanceCase(
    "locks: a lease that runs out frees the lock, with a greater token and nothing left for the old holder",
    async (scene) => {
      const { locks } = scene.broker;
      const { leaseMs, now } = scene.harness;
      const start = now();
      const first = await acquire(scene, "a");
      const second = await scene.harness.eventually("the lock to be free", () =>
        locks.acquire(first.name, { holder: "b", leaseMs }),
      );
      const heldMs = now() - start;
      assert.ok(heldMs >= leaseMs * 0.9, `the lock was free after ${heldMs} ms of ${leaseMs}`);
      assert.ok(second.token > first.token);
      await rejectsWith("lock-lost", locks.renew(first, { holder: "a", leaseMs }));
      assert.equal(await locks.release(first), false);
      assert.equal(await locks.release(second), true);
    },
  ),

  conformanceCase("locks: a renewal starts the lease anew", async (scene) => {
    const { locks } = scene.broker;
    const { leaseMs, now } = scene.harness;
    const first = await acquire(scene, "a");
    await scene.passes(leaseMs * 0.5);
    const renewedAt = now();
    await locks.renew(first, { holder: "a", leaseMs });
    const next = await scene.harness.eventually("the lock to be free", () =>
      locks.acquire(first.name, { holder: "b", leaseMs }),
    );
    const heldMs = now() - renewedAt;
    assert.ok(
      heldMs >= leaseMs * 0.9,
      `the lock was free ${heldMs} ms after a renewal for ${leaseMs}`,
    );
    assert.equal(await locks.release(next), true);
  }),

  conformanceCase("locks: names do not touch each other", async (scene) => {
    const { locks } = scene.broker;
    const { leaseMs } = scene.harness;
    const one = await acquire(scene, "a");
    const two = await locks.acquire(`${one.name}-two`, { holder: "b", leaseMs });
    assert.ok(two);
    assert.equal(await locks.release(two), true);
    await locks.renew(one, { holder: "a", leaseMs });
  }),

  sharedCase(
    "locks: of many that try at once, on two connections, exactly one gets it",
    async (scene) => {
      const other = await scene.connect();
      const { leaseMs } = scene.harness;
      const name = `lock-${scene.queue}`;
      const won = (
        await Promise.all(
          Array.from({ length: 10 }, (_, index) =>
            (index % 2 === 0 ? other : scene.broker).locks.acquire(name, {
              holder: `holder-${index}`,
              leaseMs,
            }),
          ),
        )
      ).filter((lock) => lock !== undefined);
      assert.equal(won.length, 1);
      assert.equal(await scene.broker.locks.release(won[0] as HeldLock), true);
    },
  ),
];
