import assert from "node:assert/strict";
import type { Envelope, QueueSnapshot } from "@millrace/core";
import { type ConformanceCase, conformanceCase, rejectsWith, type Scene } from "../scene.ts";

export const queueCases: readonly ConformanceCase[] = [
  conformanceCase(
    "queues: creating one again, also many times at once, changes nothing",
    async (scene) => {
      await scene.enqueueOk(scene.job());
      await Promise.all(Array.from({ length: 5 }, () => scene.broker.queues.ensure(scene.queue)));
      const snapshots = await scene.broker.queues.list();
      assert.equal(snapshots.filter(({ queue }) => queue === scene.queue).length, 1);
      assert.equal((await scene.broker.queues.snapshot(scene.queue)).queued, 1);
    },
  ),

  conformanceCase(
    "queues: settings are brought up to date, and those that are not given stay",
    async (scene) => {
      await scene.ensure({ maxJobs: 1 });
      await scene.ensure({});
      const [, refused] = await scene.broker.enqueue(scene.jobs(2));
      assert.equal(refused?.ok, false);
      await scene.ensure({ maxJobs: 2 });
      const { maxJobs, dedupeWindowMs } = await scene.broker.queues.settings(scene.queue);
      assert.equal(maxJobs, 2);
      assert.ok(dedupeWindowMs === undefined || dedupeWindowMs > 0);
      await rejectsWith("queue-not-found", scene.broker.queues.settings("no-such-queue"));
      const [result] = await scene.broker.enqueue(scene.jobs(1));
      assert.equal(result?.ok, true);
    },
  ),

  conformanceCase(
    "queues: a limit is in the snapshot, and can be taken away; one below 1 is refused",
    async (scene) => {
      const { queues } = scene.broker;
      await scene.ensure({ maxJobs: 1, maxBytes: 100_000 });
      const { maxJobs, maxBytes } = await queues.snapshot(scene.queue);
      assert.deepEqual([maxJobs, maxBytes], [1, 100_000]);
      await scene.ensure({ maxJobs: null, maxBytes: null });
      const free = await queues.snapshot(scene.queue);
      assert.deepEqual([free.maxJobs, free.maxBytes], [undefined, undefined]);
      await scene.enqueueOk(...scene.jobs(3));
      for (const wrong of [0, -1, 1.5])
        await rejectsWith("invalid-option", queues.ensure(scene.queue, { maxJobs: wrong }));
    },
  ),

  conformanceCase(
    "queues: a snapshot counts what waits, runs, is delayed and is dead, and the age of the oldest",
    async (scene) => {
      const { queues } = scene.broker;
      assert.deepEqual(await queues.snapshot(scene.queue), {
        queue: scene.queue,
        intake: "open",
        queued: 0,
        running: 0,
        delayed: 0,
        blocked: 0,
        dead: 0,
        oldestAgeMs: 0,
      });
      const jobs = scene.jobs(6);
      await scene.enqueueOk(...jobs);
      const worker = await scene.worker({ slots: 4 });
      await worker.delivery(3);
      const [first, second] = [await worker.delivery(0), await worker.delivery(1)];
      worker.slots = 2;
      const later: Envelope = {
        ...(jobs[0] as Envelope),
        generation: 1,
        notBefore: scene.harness.now() + 60_000,
      };
      await worker.settle(first, { do: "requeue", envelope: later }, { do: "ack" });
      const { body, headers } = second.message;
      const letter = {
        id: "dead",
        queue: scene.queue,
        reason: "fatal",
        attempts: 1,
        at: scene.harness.now(),
        node: "conformance",
        body,
        headers,
      } as const;
      await worker.settle(second, { do: "bury", letter }, { do: "ack" });
      await scene.passes(20);
      const snapshot = await scene.harness.eventually(
        "2 queued, 2 running, 1 delayed, 1 dead",
        async () => {
          const found = await queues.snapshot(scene.queue);
          return (
            found.queued === 2 &&
            found.running === 2 &&
            found.delayed === 1 &&
            found.dead === 1 &&
            found
          );
        },
      );
      assert.ok(
        snapshot.oldestAgeMs >= 15 && snapshot.oldestAgeMs < 60_000,
        `the oldest was ${snapshot.oldestAgeMs} ms old`,
      );
      await scene.showsAtOnce(
        "the same in the list",
        async () => {
          const listed = (await queues.list()).find(({ queue }) => queue === scene.queue);
          return [listed?.queued, listed?.running, listed?.delayed, listed?.dead];
        },
        [2, 2, 1, 1],
      );
    },
  ),

  conformanceCase("queues: one that does not exist has no snapshot", async (scene) => {
    await rejectsWith("queue-not-found", scene.broker.queues.snapshot(scene.harness.queueName()));
  }),

  conformanceCase(
    "queues: a removed one takes no more jobs and is not listed; created anew it is empty",
    async (scene) => {
      await scene.enqueueOk(scene.job());
      await scene.broker.queues.remove(scene.queue);
      const [refused] = await scene.broker.enqueue([scene.job()]);
      assert.equal(refused?.ok === false && refused.error.code, "queue-not-found");
      assert.ok((await scene.broker.queues.list()).every(({ queue }) => queue !== scene.queue));
      await scene.ensure({});
      assert.equal((await scene.broker.queues.snapshot(scene.queue)).queued, 0);
    },
  ),

  conformanceCase(
    "queues: a closed one refuses producers, keeps what it has, and takes them again when it is opened",
    async (scene) => {
      const { queues } = scene.broker;
      const first = scene.job();
      await scene.enqueueOk(first);
      await Promise.all([
        queues.setIntake(scene.queue, "closed"),
        queues.setIntake(scene.queue, "closed"),
      ]);
      const results = await scene.broker.enqueue([scene.job(), { ...scene.job(), lane: "high" }]);
      assert.deepEqual(
        results.map((result) => !result.ok && result.error.code),
        ["queue-closed", "queue-closed"],
      );
      assert.deepEqual(await intakeOf(scene, queues.list()), "closed");
      assert.equal((await queues.snapshot(scene.queue)).queued, 1);
      const worker = await scene.worker({ acks: true });
      await worker.delivery(0);
      await queues.setIntake(scene.queue, "open");
      const second = { ...scene.job(), lane: "low" as const };
      await scene.enqueueOk(second);
      await worker.delivery(1);
      assert.deepEqual(worker.messageIds, [first.id, second.id]);
      assert.deepEqual(await intakeOf(scene, queues.list()), "open");
    },
  ),

  conformanceCase(
    "queues: a closed one stays closed when it is ensured, with settings too, and the runtime still moves jobs into it",
    async (scene) => {
      const { queues } = scene.broker;
      await queues.setIntake(scene.queue, "closed");
      await scene.ensure({});
      await scene.ensure({ maxJobs: 100 });
      const [refused] = await scene.broker.enqueue([scene.job()]);
      assert.equal(refused?.ok === false && refused.error.code, "queue-closed");
      const mover = await scene.broker.moveDueJobs();
      scene.later(() => mover.stop());
      const worker = await scene.worker({ acks: true });
      const retried: Envelope = { ...scene.job(), generation: 1 };
      const delayed: Envelope = {
        ...scene.job(),
        generation: 1,
        notBefore: scene.harness.now() + 100,
      };
      await scene.broker.requeue(retried);
      await scene.broker.requeue(delayed);
      await worker.delivery(1);
      assert.equal((await queues.snapshot(scene.queue)).intake, "closed");
    },
  ),

  conformanceCase("queues: one that does not exist can't be opened or closed", async (scene) => {
    const nowhere = scene.harness.queueName();
    await rejectsWith("queue-not-found", scene.broker.queues.setIntake(nowhere, "closed"));
  }),
];

async function intakeOf(
  scene: Scene,
  listing: Promise<readonly QueueSnapshot[]>,
): Promise<unknown> {
  return (await listing).find(({ queue }) => queue === scene.queue)?.intake;
}
