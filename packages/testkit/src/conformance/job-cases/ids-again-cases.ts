import assert from "node:assert/strict";
import type { Envelope, MeantMove } from "@millrace/core";
import { type ConformanceCase, conformanceCase, envelopeOf, type Scene } from "../scene.ts";

/** Two jobs of one id, of which the queue had forgotten the first when the second came. */
function twoRetries(scene: Scene, more: Partial<Envelope>): readonly [Envelope, Envelope] {
  const now = scene.harness.now();
  const job = scene.job({ attempts: 1, generation: 1, ...more });
  return [
    { ...job, payload: "earlier", firstStoredAt: now - 60_000 },
    { ...job, payload: "later", firstStoredAt: now },
  ];
}

/** What follows two runs of one chain: each says when the job before it succeeded. */
function twoLinks(scene: Scene, queue: string): readonly [Envelope, Envelope] {
  const link = scene.job({ queue });
  return [
    { ...link, payload: "earlier", unkeyed: link.createdAt },
    { ...link, payload: "later", unkeyed: link.createdAt + 1 },
  ];
}

export const idsAgainCases: readonly ConformanceCase[] = [
  conformanceCase(
    "settle: a requeue for later takes no place of another job's of its id, which waits in the same generation",
    async (scene) => {
      await scene.ensure({ dedupeWindowMs: 30_000 });
      const [earlier, later] = twoRetries(scene, { notBefore: scene.harness.now() + 1_500 });
      for (const job of [earlier, later, earlier, later]) await scene.broker.requeue(job);
      await scene.harness.eventually(
        "both to wait",
        async () => (await scene.broker.queues.snapshot(scene.queue)).delayed === 2,
      );
      const worker = await scene.worker({ slots: 4 });
      const mover = await scene.broker.moveDueJobs();
      scene.later(() => mover.stop());
      await worker.delivery(1);
      const came = worker.deliveries.map(({ message }) => envelopeOf(message).payload);
      assert.deepEqual(new Set(came), new Set(["earlier", "later"]));
    },
  ),

  conformanceCase(
    "delayed: a job that was moved comes, although another of its id ran meanwhile in the same generation",
    async (scene) => {
      const [earlier, later] = twoRetries(scene, { notBefore: scene.harness.now() + 60_000 });
      await scene.broker.requeue(earlier);
      assert.equal(await scene.broker.delayed.move(earlier.id, scene.queue, "now"), true);
      await scene.enqueueOk(scene.job());
      const worker = await scene.worker();
      const { createdAt, firstStoredAt = 0 } = later;
      const record = scene.record(later, { state: "requeued", createdAt, firstStoredAt });
      await worker.settle(await worker.delivery(0), { do: "record", record }, { do: "ack" });
      const mover = await scene.broker.moveDueJobs();
      scene.later(() => mover.stop());
      assert.equal(envelopeOf((await worker.delivery(1)).message).payload, "earlier");
    },
  ),

  conformanceCase(
    "delayed: of two jobs of one id the one that is meant is moved, and both are found",
    async (scene) => {
      const notBefore = scene.harness.now() + 600_000;
      const [first, second] = twoRetries(scene, { notBefore });
      const later = { ...second, createdAt: first.createdAt + 1_000, notBefore: notBefore + 1 };
      for (const job of [first, later]) await scene.broker.requeue(job);
      const { delayed } = scene.broker;
      const { id, queue, createdAt } = first;
      const move = (minutes: number, meant: MeantMove): Promise<boolean> =>
        delayed.move(id, queue, notBefore + minutes * 60_000, meant);
      assert.equal(await move(1, { createdAt: createdAt - 1 }), false);
      assert.equal(await move(1, { createdAt }), true);
      assert.equal(await move(2, { createdAt, from: notBefore }), false);
      assert.equal(await move(2, { from: notBefore + 60_000 }), true);
      const found = async (): Promise<readonly unknown[]> =>
        (await delayed.of({ id, queue })).map((job) => [job.payload, job.notBefore]);
      assert.deepEqual(await found(), [
        ["later", notBefore + 1],
        ["earlier", notBefore + 120_000],
      ]);
      assert.equal(await move(3, { cancellation: { reason: "over", createdAt } }), true);
      assert.deepEqual(await delayed.of({ id: "unknown-to-all", queue }), []);
      const cancelled = (await delayed.of({ id, queue })).map((job) => job.cancelled);
      assert.deepEqual(cancelled, [undefined, "over"]);
    },
  ),

  conformanceCase(
    "settle: what follows a job is no duplicate of what followed an earlier one of its id, that is there or has ended",
    async (scene) => {
      const queue = await scene.anotherQueue();
      const [earlier, later] = twoLinks(scene, queue);
      const firsts = scene.jobs(6);
      await scene.enqueueOk(...firsts);
      const before = await scene.worker({ slots: 6 });
      const after = await scene.worker({ queue, slots: 4 });
      const follow = async (n: number, link: Envelope): Promise<void> =>
        before.settle(await before.delivery(n), { do: "enqueue", envelope: link }, { do: "ack" });
      await follow(0, earlier);
      const first = await after.delivery(0);
      await follow(1, later);
      const second = await after.delivery(1);
      assert.deepEqual(envelopeOf(second.message), later);
      const { sequence } = first.message;
      const firstStoredAt = first.message.storedAt;
      const { unkeyed = 0 } = earlier;
      const record = scene.record(earlier, { sequence, firstStoredAt, unkeyed, door: "runtime" });
      await after.settle(first, { do: "record", record }, { do: "ack" });
      const last = { ...later, payload: "last", unkeyed: unkeyed + 2 };
      await follow(2, last);
      assert.deepEqual(envelopeOf((await after.delivery(2)).message), last);
      // Each of them once, however often it is published.
      for (const [index, link] of [earlier, later, last].entries()) await follow(index + 3, link);
      await scene.broker.requeue({ ...last, generation: 1, payload: "end" });
      assert.equal(envelopeOf((await after.delivery(3)).message).payload, "end");
    },
  ),

  conformanceCase(
    "settle: two links of one id wait side by side where their queue has no room",
    async (scene) => {
      const notBefore = scene.harness.now() + 60_000;
      const [earlier, later] = twoLinks(scene, scene.queue);
      await scene.enqueueOk(...scene.jobs(4));
      const worker = await scene.worker({ slots: 4 });
      for (const [index, link] of [earlier, later, earlier, later].entries()) {
        const envelope = { ...link, notBefore };
        await worker.settle(
          await worker.delivery(index),
          { do: "enqueue", envelope },
          { do: "ack" },
        );
      }
      await scene.harness.eventually(
        "both to wait",
        async () => (await scene.broker.queues.snapshot(scene.queue)).delayed === 2,
      );
    },
  ),
];
