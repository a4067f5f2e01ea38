import assert from "node:assert/strict";
import type { HeldLock } from "@millrace/core";
import { type ConformanceCase, conformanceCase, deafCase, rejectsWith } from "../scene.ts";

import { acquire, longLeaseOf } from "./lock-scene.ts";

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

  conformanceCase(
    "locks: of renewals under one token at the same time, one succeeds, also where they share the object",
    async (scene) => {
      const { locks } = scene.broker;
      const leaseMs = longLeaseOf(scene);
      const first = await acquire(scene, "a", leaseMs);
      const shared = { ...first };
      const results = await Promise.allSettled(
        [shared, shared, { ...first }].map((lock, at) =>
          locks.renew(lock, { holder: `b${at}`, leaseMs }),
        ),
      );
      const renewed = results.filter((result) => result.status === "fulfilled");
      assert.equal(renewed.length, 1);
      for (const result of results)
        if (result.status === "rejected")
          await rejectsWith("lock-lost", Promise.reject(result.reason));
      const [won] = renewed;
      assert.equal((await locks.look(first.name))?.token, won?.value.token);
      scene.later(async () => won && locks.release(won.value));
    },
  ),

  conformanceCase(
    "locks: since when one is held is told, and is the same over renewals until another has it",
    async (scene) => {
      const { locks } = scene.broker;
      const { now, eventually } = scene.harness;
      const leaseMs = longLeaseOf(scene);
      const first = await acquire(scene, "a", leaseMs);
      const since = (await locks.look(first.name))?.since;
      assert.ok(since !== undefined, "nobody knows since when");
      const start = now();
      await eventually("the clock to go on", () => now() - start >= 5);
      const renewed = await locks.renew(first, { holder: "a", leaseMs });
      assert.equal((await locks.look(first.name))?.since, since);
      assert.deepEqual(
        (await locks.list(first.name)).map((lock) => lock.since),
        [since],
      );
      await locks.release(renewed);
      const second = await acquire(scene, "b", leaseMs);
      const next = (await locks.look(second.name))?.since ?? 0;
      assert.ok(next > since, `${next} is not after ${since}`);
    },
  ),

  deafCase(
    "locks: what was done without an answer is known again by the same claim, and by the same lock",
    async (scene, { broker, deafen, hear }) => {
      const leaseMs = longLeaseOf(scene) / 3;
      const name = `lock-${scene.queue}`;
      const claim = { holder: "a", leaseMs };
      // What the first lock of a connection has to ask for is there before nothing is answered.
      const before = await broker.locks.acquire(`${name}-before`, claim);
      assert.ok(before);
      await broker.locks.release(before);
      assert.equal(await broker.locks.look(name), undefined);
      deafen();
      await rejectsWith("request-timeout", broker.locks.acquire(name, claim));
      hear();
      assert.equal((await scene.broker.locks.look(name))?.holder, "a");
      assert.equal(await broker.locks.acquire(name, { ...claim }), undefined);
      const lock = await broker.locks.acquire(name, claim);
      assert.ok(lock, "the claim is not known again");
      assert.equal(await broker.locks.acquire(name, claim), undefined);
      deafen();
      await rejectsWith("request-timeout", broker.locks.renew(lock, claim));
      hear();
      await rejectsWith("lock-lost", broker.locks.renew({ ...lock }, claim));
      const renewed = await broker.locks.renew(lock, claim);
      assert.ok(renewed.token > lock.token);
      deafen();
      await rejectsWith("request-timeout", broker.locks.renew(renewed, claim));
      hear();
      assert.equal(await broker.locks.release(lock), false);
      assert.equal(await broker.locks.release(renewed), true);
      assert.equal(await scene.broker.locks.look(name), undefined);
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

  conformanceCase("locks: any text is a name, and another for any change of it", async (scene) => {
    const { locks } = scene.broker;
    const leaseMs = longLeaseOf(scene);
    const names = ["a/b", "a.b", "a=2Eb", "a:b", "A/b", " ü 漢 💧 * > \n", "x".repeat(512)].map(
      (name, index) => (index === 6 ? name : `${scene.queue}${name}`),
    );
    for (const name of names) {
      const lock = await locks.acquire(name, { holder: "a", leaseMs });
      assert.ok(lock, `nobody holds ${name}`);
      scene.later(() => locks.release(lock));
      assert.equal((await locks.look(name))?.name, name);
    }
    const listed = (await locks.list(scene.queue)).map(({ name }) => name);
    assert.deepEqual(listed, names.slice(0, 6).sort());
  }),

  conformanceCase("locks: a name or a lease that can't be is refused", async (scene) => {
    const { locks } = scene.broker;
    const { leaseMs } = scene.harness;
    for (const name of ["", "x".repeat(513)]) {
      await rejectsWith("invalid-name", locks.acquire(name, { holder: "a", leaseMs }));
      await rejectsWith("invalid-name", locks.look(name));
      await rejectsWith(
        "invalid-name",
        locks.onRelease(name, () => {}),
      );
    }
    for (const wrong of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 86_400_001])
      await rejectsWith(
        "invalid-option",
        locks.acquire(`lock-${scene.queue}`, { holder: "a", leaseMs: wrong }),
      );
    const lock = await acquire(scene, "a");
    await rejectsWith("invalid-option", locks.renew(lock, { holder: "a", leaseMs: 0 }));
  }),

  conformanceCase(
    "locks: a look shows the holder, its latest token and what is left",
    async (scene) => {
      const { locks } = scene.broker;
      const leaseMs = longLeaseOf(scene);
      assert.equal(await locks.look(`lock-${scene.queue}`), undefined);
      const first = await acquire(scene, "a", leaseMs);
      const seen = await locks.look(first.name);
      assert.ok(seen !== undefined);
      const { leftMs: _left, since: _since, ...rest } = seen;
      assert.deepEqual(rest, { ...first, holder: "a", leaseMs });
      assert.ok(seen.leftMs > leaseMs * 0.2 && seen.leftMs <= leaseMs * 1.05);
      const renewed = await locks.renew(first, { holder: "a", leaseMs: leaseMs * 2 });
      const again = await locks.look(first.name);
      assert.equal(again?.token, renewed.token);
      assert.equal(again?.leaseMs, leaseMs * 2);
      assert.ok(again.leftMs > leaseMs * 1.2, `${again.leftMs} ms left`);
      assert.equal(await locks.release(renewed), true);
      assert.equal(await locks.look(first.name), undefined);
    },
  ),

  conformanceCase("locks: a list shows those that are held, by name", async (scene) => {
    const { locks } = scene.broker;
    const leaseMs = longLeaseOf(scene);
    const claim = { holder: "a", leaseMs };
    const held = [];
    for (const key of ["b/1", "a/2", "a/1"]) {
      const lock = await locks.acquire(`${scene.queue}/${key}`, claim);
      assert.ok(lock);
      held.push(lock);
    }
    const names = async (prefix: string): Promise<string[]> =>
      (await locks.list(prefix)).map(({ name }) => name);
    const all = ["a/1", "a/2", "b/1"].map((key) => `${scene.queue}/${key}`);
    assert.deepEqual(await names(`${scene.queue}/`), all);
    assert.deepEqual(await names(`${scene.queue}/a`), all.slice(0, 2));
    assert.deepEqual(
      (await locks.list()).filter(({ name }) => name.startsWith(`${scene.queue}/`)).length,
      3,
    );
    assert.equal((await locks.list(all[0]))[0]?.holder, "a");
    for (const lock of held) assert.equal(await locks.release(lock), true);
    assert.deepEqual(await names(`${scene.queue}/`), []);
  }),

  conformanceCase(
    "locks: one that is renewed while the list is read is listed once",
    async (scene) => {
      const { locks } = scene.broker;
      const claim = { holder: "a", leaseMs: longLeaseOf(scene) };
      const names = Array.from({ length: 20 }, (_, index) => `${scene.queue}/${index}`).sort();
      let first: HeldLock | undefined;
      for (const name of names) {
        const lock = await locks.acquire(name, claim);
        assert.ok(lock);
        scene.later(() => locks.release(lock));
        first ??= lock;
      }
      assert.ok(first);
      let reading = true;
      const listed = locks.list(`${scene.queue}/`).finally(() => (reading = false));
      while (reading) first = await locks.renew(first, claim);
      assert.deepEqual(
        (await listed).map(({ name }) => name),
        names,
      );
    },
  ),

  conformanceCase("locks: a lease that is over is neither seen nor listed", async (scene) => {
    const { locks } = scene.broker;
    const { name } = await acquire(scene, "a");
    assert.equal((await locks.list(name)).length, 1);
    await scene.harness.eventually(
      "the lock to be seen no more",
      async () => (await locks.look(name)) === undefined,
    );
    assert.deepEqual(await locks.list(name), []);
  }),
];
