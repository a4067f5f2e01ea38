import assert from "node:assert/strict";
import type { BlockedQuery, Envelope } from "@millrace/core";
import {
  type ConformanceCase,
  conformanceCase,
  envelopeOf,
  type Scene,
  sharedCase,
} from "../scene.ts";
import type { SceneWorker } from "../scene-worker.ts";

const GATE = "cap/mail/Zürich & Söhne\r\n \u{1f511}";

/** Enqueues jobs and blocks them at gates, one after the other. */
async function block(
  scene: Scene,
  worker: SceneWorker,
  gates: readonly string[],
  more: Partial<Envelope> = {},
): Promise<readonly Envelope[]> {
  const blocked: Envelope[] = [];
  for (const gate of gates) {
    const job = scene.job(more);
    const before = worker.deliveries.length;
    await scene.enqueueOk(job);
    const next = { ...job, generation: 1 };
    await worker.settle(
      await worker.delivery(before),
      { do: "block", envelope: next, gate },
      { do: "ack" },
    );
    blocked.push(next);
  }
  return blocked;
}

const idsFrom = (worker: SceneWorker, index: number): readonly string[] =>
  worker.deliveries.slice(index).map(({ message }) => envelopeOf(message).id);
const idOf = ({ id }: Envelope): string => id;

export const blockedCases: readonly ConformanceCase[] = [
  conformanceCase(
    "blocked: jobs leave their queue, are counted and listed by gate, and are found",
    async (scene) => {
      const worker = await scene.worker();
      const { blocked } = scene.broker;
      const jobs = await block(scene, worker, [GATE, "b", GATE], { headers: { "x-tenant": "7" } });
      await scene.harness.eventually("all of them blocked", async () => {
        const counts = await scene.broker.queues.snapshot(scene.queue);
        return counts.blocked === 3 && counts.queued === 0 && counts.running === 0;
      });
      assert.ok((await blocked.count()) >= 3);
      assert.equal(await blocked.count(scene.queue), 3);
      assert.equal(await blocked.count(await scene.anotherQueue()), 0);
      const gates = await blocked.gates(scene.queue);
      assert.deepEqual(
        gates.toSorted((a, b) => b.count - a.count),
        [
          { queue: scene.queue, gate: GATE, count: 2 },
          { queue: scene.queue, gate: "b", count: 1 },
        ],
      );
      assert.ok((await blocked.gates()).some(({ queue }) => queue === scene.queue));
      const all = await blocked.list({ queue: scene.queue });
      assert.deepEqual(
        all.map(({ envelope, gate }) => [envelope, gate]),
        jobs.map((job, index) => [job, index === 1 ? "b" : GATE]),
      );
      const [first, ...rest] = await blocked.list({ queue: scene.queue, gate: GATE });
      assert.deepEqual([first?.envelope.id, rest.length], [jobs[0]?.id, 1]);
      const after = { queue: scene.queue, limit: 1, after: first?.sequence ?? 0 };
      assert.deepEqual(
        (await blocked.list(after)).map(({ envelope }) => envelope.id),
        [jobs[1]?.id],
      );
      const { queue } = scene;
      const listed = async (query: BlockedQuery): Promise<readonly string[]> =>
        (await blocked.list({ queue, ...query })).map(({ envelope }) => envelope.id);
      const until = all[1]?.sequence ?? 0;
      assert.deepEqual(
        await listed({ until }),
        jobs.slice(0, 2).map(({ id }) => id),
      );
      assert.equal((await listed({ bytes: 1 })).length, 1);
      assert.equal((await listed({ bytes: 100_000 })).length, 3);
      for (const once of [false, true])
        assert.ok((await blocked.newest({ once })) >= (all[2]?.sequence ?? 1));
      const found = await scene.broker.findWaiting(jobs[2]?.id ?? "", { queue: scene.queue });
      assert.deepEqual([found?.state, found?.envelope, found?.gate], ["blocked", jobs[2], GATE]);
    },
  ),

  conformanceCase(
    "blocked: are let in oldest first, each gate for itself, with their lane and what they were given",
    async (scene) => {
      const worker = await scene.worker();
      const { blocked } = scene.broker;
      const jobs = await block(scene, worker, ["a", "a", "b", "a"], { lane: "low" });
      assert.equal(await blocked.release(scene.queue, "a", 2, { permits: ["p/1 ü"] }), 2);
      const first = (await worker.delivery(4)).message;
      const second = (await worker.delivery(5)).message;
      assert.deepEqual(
        idsFrom(worker, 4),
        [jobs[0], jobs[1]].map((job) => job?.id),
      );
      assert.deepEqual(envelopeOf(first), jobs[0]);
      assert.deepEqual([first.origin, first.lane], ["runtime", "low"]);
      assert.deepEqual(
        [first, second].map(({ headers }) => [
          headers["millrace-gate"],
          headers["millrace-permit"],
        ]),
        [
          ["a", "p/1 ü"],
          ["a", undefined],
        ],
      );
      const blockedAt = Number(first.headers["millrace-blocked-at"]);
      assert.ok(
        blockedAt > 0 && blockedAt <= first.storedAt,
        `it was blocked at ${blockedAt} and let in at ${first.storedAt}`,
      );
      assert.equal(await blocked.release(scene.queue, "a", 5), 1);
      assert.equal(await blocked.release(scene.queue, "a", 5), 0);
      assert.equal(await blocked.release(scene.queue, "nobody waits here", 1), 0);
      await worker.delivery(6);
      assert.deepEqual(idsFrom(worker, 6), [jobs[3]?.id]);
      assert.equal((await scene.broker.queues.snapshot(scene.queue)).blocked, 1);
    },
  ),

  conformanceCase(
    "blocked: a job is blocked once however often its step is repeated, also once it was let in",
    async (scene) => {
      const worker = await scene.worker({ slots: 3 });
      const job = scene.job();
      await scene.enqueueOk(job);
      const delivery = await worker.delivery(0);
      const step = { do: "block", envelope: { ...job, generation: 1 }, gate: "a" } as const;
      await scene.broker.settle(delivery, [step]);
      await scene.broker.settle(delivery, [step]);
      assert.equal((await scene.broker.queues.snapshot(scene.queue)).blocked, 1);
      assert.equal(await scene.broker.blocked.release(scene.queue, "a", 9), 1);
      await worker.settle(delivery, step, { do: "ack" });
      assert.equal(await scene.broker.blocked.release(scene.queue, "a", 9), 0);
      await worker.delivery(1);
      assert.equal(worker.deliveries.length, 2);
    },
  ),

  conformanceCase("blocked: jobs of two queues may have the same id", async (scene) => {
    const other = await scene.anotherQueue();
    const { blocked } = scene.broker;
    for (const queue of [scene.queue, other]) {
      const worker = await scene.worker({ queue });
      const job = scene.job({ id: "the-same", queue });
      await scene.enqueueOk(job);
      const step = { do: "block", envelope: { ...job, generation: 1 }, gate: "a" } as const;
      await worker.settle(await worker.delivery(0), step, { do: "ack" });
      assert.deepEqual(
        (await blocked.list({ queue })).map(({ envelope }) => envelope.queue),
        [queue],
      );
      assert.equal(await blocked.release(queue, "a", 9), 1);
      await worker.delivery(1);
    }
  }),

  sharedCase(
    "blocked: of two that let in at the same time, each moves jobs of its own",
    async (scene) => {
      const worker = await scene.worker({ slots: 50, acks: false });
      const jobs = await block(
        scene,
        worker,
        Array.from({ length: 12 }, () => "a"),
      );
      const other = await scene.connect();
      const counts = await Promise.all([
        scene.broker.blocked.release(scene.queue, "a", 5),
        other.blocked.release(scene.queue, "a", 5),
        other.blocked.release(scene.queue, "a", 1),
      ]);
      assert.deepEqual(counts, [5, 5, 1]);
      await worker.delivery(12 + 10);
      await scene.harness.eventually(
        "one job left",
        async () => (await scene.broker.queues.snapshot(scene.queue)).blocked === 1,
      );
      assert.equal(await other.blocked.release(scene.queue, "a", 5), 1);
      await worker.delivery(12 + 11);
      assert.deepEqual(idsFrom(worker, 12).toSorted(), jobs.map(idOf).toSorted());
    },
  ),

  conformanceCase("blocked: one job can be let in before its turn", async (scene) => {
    const worker = await scene.worker();
    const jobs = await block(scene, worker, ["a", "a", "b"]);
    const wanted = jobs[1]?.id ?? "";
    const { blocked } = scene.broker;
    assert.equal(await blocked.releaseJob(scene.queue, wanted), true);
    assert.equal(await blocked.releaseJob(scene.queue, wanted), false);
    await worker.delivery(3);
    assert.deepEqual(idsFrom(worker, 3), [wanted]);
    assert.equal((await scene.broker.queues.snapshot(scene.queue)).blocked, 2);
    // Of one whose place is known nothing else is looked through.
    const [first, last] = await blocked.list({ queue: scene.queue });
    assert.ok(first !== undefined && last !== undefined);
    const { id } = last.envelope;
    const at = ({ sequence }: { readonly sequence: number }) =>
      blocked.releaseJob(scene.queue, id, { sequence });
    assert.equal(await at(first), false);
    assert.equal(await at({ sequence: last.sequence + 1 }), false);
    assert.equal(await at(last), true);
    assert.equal(await at(last), false);
    await worker.delivery(4);
    assert.deepEqual(idsFrom(worker, 4), [id]);
  }),

  conformanceCase("blocked: of two of one id the one that is meant is let in", async (scene) => {
    const worker = await scene.worker();
    const [first] = await block(scene, worker, ["a"]);
    assert.ok(first !== undefined);
    const { id, createdAt } = first;
    const [firstStoredAt, now] = [Math.floor(scene.harness.now()) + 1_000, createdAt + 1_000];
    const second = { ...first, createdAt: now, firstStoredAt, payload: "second" };
    await scene.enqueueOk(scene.job());
    await worker.settle(
      await worker.delivery(1),
      { do: "block", envelope: second, gate: "a" },
      { do: "ack" },
    );
    const { blocked } = scene.broker;
    assert.equal(await blocked.releaseJob(scene.queue, id, { createdAt: now + 1 }), false);
    assert.equal(await blocked.releaseJob(scene.queue, id, { createdAt: now }), true);
    assert.equal(envelopeOf((await worker.delivery(2)).message).payload, "second");
    const left = await blocked.list({ queue: scene.queue });
    assert.deepEqual(
      left.map(({ envelope }) => envelope.createdAt),
      [createdAt],
    );
  }),

  conformanceCase("blocked: can be purged, and go with their queue", async (scene) => {
    const worker = await scene.worker();
    await block(scene, worker, ["a", "b", "b"]);
    const { blocked, queues } = scene.broker;
    assert.equal(await blocked.purge(scene.queue, "a"), 1);
    assert.deepEqual(await blocked.gates(scene.queue), [
      { queue: scene.queue, gate: "b", count: 2 },
    ]);
    await queues.remove(scene.queue);
    assert.deepEqual(await blocked.list({ queue: scene.queue }), []);
    assert.equal(await blocked.purge(scene.queue), 0);
  }),
];
