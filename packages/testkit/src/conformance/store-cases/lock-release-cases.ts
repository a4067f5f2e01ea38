import assert from "node:assert/strict";
import type { HeldLock } from "@millrace/core";
import { type ConformanceCase, conformanceCase, type Scene, sharedCase } from "../scene.ts";

import { acquire, longLeaseOf } from "./lock-scene.ts";

/** Where somebody waits, all of it passes. */
const ASK_MS = 1_000;

function keepingCase(name: string, body: (scene: Scene) => Promise<void>): ConformanceCase {
  return {
    ...conformanceCase(name, body),
    skip: ({ keepsLocks = false }) =>
      keepsLocks ? undefined : "it takes a store that keeps locks",
  };
}

/** Who is told of a release, and locks that are kept. */
export const lockReleaseCases: readonly ConformanceCase[] = [
  conformanceCase(
    "locks: who listens is told of a release, and of no other lock's",
    async (scene) => {
      const { locks } = scene.broker;
      const leaseMs = longLeaseOf(scene);
      const mine = await acquire(scene, "a", leaseMs);
      let told = 0;
      let others = 0;
      const listening = await locks.onRelease(mine.name, () => void (told += 1));
      const elsewhere = await locks.onRelease(`${mine.name}-other`, () => void (others += 1));
      scene.later(() => elsewhere.stop());
      scene.later(() => listening.stop());
      for (const round of [1, 2]) {
        const lock = round === 1 ? mine : await acquire(scene, "a", leaseMs);
        const renewed = await locks.renew(lock, { holder: "a", leaseMs });
        assert.equal(await locks.release(renewed), true);
        await scene.harness.eventually(`release ${round} to be told`, () => told >= round);
      }
      assert.equal(others, 0);
    },
  ),

  conformanceCase("locks: who stopped listening is told no more", async (scene) => {
    const { locks } = scene.broker;
    const first = await acquire(scene, "a", longLeaseOf(scene));
    let stopped = 0;
    let told = 0;
    const gone = await locks.onRelease(first.name, () => void (stopped += 1));
    const stays = await locks.onRelease(first.name, () => void (told += 1));
    scene.later(() => stays.stop());
    await gone.stop();
    await gone.stop();
    assert.equal(await locks.release(first), true);
    await scene.harness.eventually("the other listener to be told", () => told > 0);
    assert.equal(stopped, 0);
  }),

  sharedCase("locks: a release is told on another connection, soon", async (scene) => {
    const other = await scene.connect();
    const lock = await acquire(scene, "a", longLeaseOf(scene));
    let told = false;
    const listening = await other.locks.onRelease(lock.name, () => void (told = true));
    scene.later(() => listening.stop());
    assert.equal(await scene.broker.locks.release(lock), true);
    await scene.harness.eventually("the release to be told", () => told);
    assert.ok(await other.locks.acquire(lock.name, { holder: "b", leaseMs: longLeaseOf(scene) }));
  }),

  sharedCase(
    "locks: who waits says so to whoever asks, and no more when it stops",
    async (scene) => {
      const other = await scene.connect();
      const ask = async (prefix: string) => {
        assert.ok(other.locks.waiting, "the store can't say who waits");
        return other.locks.waiting({ prefix, withinMs: ASK_MS });
      };
      const wait = async (name: string, holder: string, since: number) => {
        const listening = await scene.broker.locks.onRelease(name, () => {}, { holder, since });
        scene.later(() => listening.stop());
        return listening;
      };
      const name = `lock-${scene.queue}`;
      assert.deepEqual(await ask(name), []);
      await wait(`${name}-b`, "late", 2_000);
      await wait(`${name}-b`, "early", 1_000);
      const first = await wait(`${name}-a`, "one", 3_000);
      const silent = await scene.broker.locks.onRelease(`${name}-a`, () => {});
      scene.later(() => silent.stop());
      await wait(`other-${name}`, "another", 1_000);
      assert.deepEqual(await ask(name), [
        { name: `${name}-a`, holder: "one", since: 3_000 },
        { name: `${name}-b`, holder: "early", since: 1_000 },
        { name: `${name}-b`, holder: "late", since: 2_000 },
      ]);
      await first.stop();
      await first.stop();
      assert.deepEqual(await ask(`${name}-a`), []);
    },
  ),

  conformanceCase(
    "locks: two calls at once are two holders, also with one claim",
    async (scene) => {
      const { locks } = scene.broker;
      const claim = { holder: "a", leaseMs: longLeaseOf(scene) };
      const name = `lock-${scene.queue}`;
      const tries = Array.from({ length: 5 }, () => locks.acquire(name, claim));
      const won = (await Promise.all(tries)).filter((lock) => lock !== undefined);
      assert.equal(won.length, 1);
      assert.equal(await locks.acquire(name, claim), undefined);
      assert.equal(await locks.release(won[0] as HeldLock), true);
    },
  ),

  keepingCase(
    "locks: one that is kept outlives its lease without a renewal, and its holder can go on from there",
    async (scene) => {
      const { locks } = scene.broker;
      const { leaseMs } = scene.harness;
      const claim = { holder: "a", leaseMs };
      await scene.worker();
      const lock = await acquire(scene, "a");
      const keeping = locks.keep?.(lock, claim, 0);
      assert.ok(keeping, "the lock is not kept");
      scene.later(async () => keeping.end());
      await scene.passes(leaseMs * 2.5);
      assert.equal(await locks.acquire(lock.name, { holder: "b", leaseMs }), undefined);
      const agoMs = keeping.extendedAgoMs();
      assert.ok(agoMs !== undefined && agoMs < leaseMs, `extended ${agoMs} ms ago`);
      const renewed = await locks.renew(lock, claim);
      assert.ok(renewed.token > lock.token);
      keeping.end();
      assert.equal(await locks.release(renewed), true);
    },
  ),

  keepingCase("locks: one that is kept no more is free when its lease is over", async (scene) => {
    const { locks } = scene.broker;
    const { leaseMs } = scene.harness;
    await scene.worker();
    const lock = await acquire(scene, "a");
    locks.keep?.(lock, { holder: "a", leaseMs }, 0)?.end();
    const next = await scene.harness.eventually("the lock to be free", () =>
      locks.acquire(lock.name, { holder: "b", leaseMs }),
    );
    assert.equal(await locks.release(next), true);
  }),

  sharedCase(
    "locks: of many that try at once, on two connections, exactly one gets it",
    async (scene) => {
      const other = await scene.connect();
      const leaseMs = longLeaseOf(scene);
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
