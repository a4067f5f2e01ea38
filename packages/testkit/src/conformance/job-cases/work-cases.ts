import assert from "node:assert/strict";
import { MillraceError } from "@millrace/core";
import {
  type ConformanceCase,
  conformanceCase,
  envelopeOf,
  rejectsWith,
  sharedCase,
} from "../scene.ts";
import type { SceneWorker } from "../scene-worker.ts";

export const workCases: readonly ConformanceCase[] = [
  conformanceCase(
    "work: never holds more than its slots, and gets everything once",
    async (scene) => {
      const jobs = scene.jobs(40);
      await scene.enqueueOk(...jobs);
      const worker = await scene.worker({ slots: 3, acks: true });
      await worker.delivery(39);
      assert.ok(worker.mostHeld <= 3, `it held ${worker.mostHeld} at a time with 3 slots`);
      await worker.stop();
      assert.deepEqual(worker.messageIds.toSorted(), jobs.map(({ id }) => id).toSorted());
    },
  ),

  conformanceCase(
    "work: nothing comes while no slot is free, and a freed one is used",
    async (scene) => {
      const markers = await scene.worker({ queue: await scene.anotherQueue() });
      const worker = await scene.worker({ slots: 0 });
      await scene.enqueueOk(...scene.jobs(2), { ...scene.job(), queue: markers.queue });
      await markers.delivery(0);
      assert.equal(worker.deliveries.length, 0);
      worker.slots = 1;
      worker.slotFreed();
      await worker.ack(await worker.delivery(0));
      await worker.delivery(1);
      assert.equal(worker.mostHeld, 1);
    },
  ),

  sharedCase(
    "work: two workers on two connections share a queue, each job going to one of them",
    async (scene) => {
      const jobs = scene.jobs(60);
      const a = await scene.worker({ slots: 2, acks: true });
      const b = await scene.worker({ slots: 2, acks: true, broker: await scene.connect() });
      await scene.enqueueOk(...jobs);
      const came = (): readonly (string | undefined)[] => [...a.messageIds, ...b.messageIds];
      await scene.harness.eventually("60 jobs", () => new Set(came()).size >= 60);
      await Promise.all([a.stop(), b.stop()]);
      // An ack that dies with a leader brings its job again, perhaps to the other.
      const ids = scene.harness.leadersDie === true ? [...new Set(came())] : came();
      assert.deepEqual(ids.toSorted(), jobs.map(({ id }) => id).toSorted());
    },
  ),

  conformanceCase("work: a worker sees only the jobs of its queue", async (scene) => {
    const other = await scene.worker({ queue: await scene.anotherQueue() });
    const worker = await scene.worker();
    const [mine, theirs] = [scene.job(), { ...scene.job(), queue: other.queue }];
    await scene.enqueueOk(mine, theirs);
    await worker.delivery(0);
    await other.delivery(0);
    assert.deepEqual([worker.messageIds, other.messageIds], [[mine.id], [theirs.id]]);
  }),

  conformanceCase("work: a paused worker gets nothing until it is resumed", async (scene) => {
    const markers = await scene.worker({ queue: await scene.anotherQueue() });
    const worker = await scene.worker({ slots: 1 });
    const [first, second] = scene.jobs(2);
    assert.ok(first && second);
    await scene.enqueueOk(first);
    const held = await worker.delivery(0);
    // The only slot is taken, so no request of this worker can be under way when it is paused.
    await Promise.all([worker.subscription.pause(), worker.subscription.pause()]);
    await worker.ack(held);
    await scene.enqueueOk(second, { ...scene.job(), queue: markers.queue });
    await markers.delivery(0);
    assert.equal(worker.deliveries.length, 1);
    worker.subscription.resume();
    worker.subscription.resume();
    await worker.delivery(1);
    assert.deepEqual(worker.messageIds, [first.id, second.id]);
  }),

  conformanceCase(
    "work: once a pause has resolved nothing arrives any more, though slots are free and requests were under way",
    async (scene) => {
      const markers = await scene.worker({ queue: await scene.anotherQueue() });
      const worker = await scene.worker({ slots: 5, acks: true });
      await scene.enqueueOk(scene.job());
      await worker.delivery(0);
      await worker.subscription.pause();
      await scene.enqueueOk(scene.job(), { ...scene.job(), queue: markers.queue });
      await markers.delivery(0);
      worker.slotFreed();
      assert.equal(worker.deliveries.length, 1);
      worker.subscription.resume();
      scene.deliveredTimes(await worker.delivery(1), 1);
    },
  ),

  conformanceCase(
    "work: a pause under load loses nothing: each job comes once, before or after",
    async (scene) => {
      const jobs = scene.jobs(300);
      const worker = await scene.worker({ slots: 4, acks: true });
      const enqueued = scene.enqueueOk(...jobs);
      await worker.delivery(0);
      for (let round = 0; round < 5; round += 1) {
        await worker.subscription.pause();
        worker.subscription.resume();
      }
      await enqueued;
      await worker.delivery(299);
      for (const delivery of worker.deliveries) scene.deliveredTimes(delivery, 1);
      assert.deepEqual(worker.messageIds.toSorted(), jobs.map(({ id }) => id).toSorted());
    },
  ),

  conformanceCase(
    "work: after stop() the jobs go to others, what was in hand can still be settled, and stopping again is fine",
    async (scene) => {
      const jobs = scene.jobs(2);
      await scene.enqueueOk(...jobs.slice(0, 1));
      const stopped = await scene.worker({ slots: 1 });
      const held = await stopped.delivery(0);
      await stopped.subscription.stop();
      await stopped.subscription.stop();
      stopped.subscription.resume();
      stopped.subscription.slotFreed();
      await stopped.ack(held);
      await scene.enqueueOk(...jobs.slice(1));
      const next = await scene.worker();
      scene.deliveredTimes(await next.delivery(0), 1);
      assert.deepEqual([next.messageIds, stopped.messageIds], [[jobs[1]?.id], [jobs[0]?.id]]);
    },
  ),

  sharedCase(
    "work: a job in hand is not redelivered for as long as its holder lives, over many leases",
    async (scene) => {
      const job = scene.job();
      await scene.enqueueOk(job);
      const holder = await scene.worker({ slots: 1, broker: await scene.connect() });
      const { lease } = await holder.delivery(0);
      let lost = false;
      lease.onLost(() => (lost = true));
      const other = await scene.worker();
      await scene.passes(scene.harness.leaseMs * 3.5);
      assert.deepEqual(
        [other.deliveries.length, holder.deliveries.length, lease.isHeld(), lost],
        [0, 1, true, false],
      );
      await holder.ack(await holder.delivery(0));
    },
  ),

  sharedCase(
    "work: the job of a holder that went away comes to another with a higher delivery count and the same bytes",
    async (scene) => {
      const job = scene.job({ headers: { "x-tenant": "seven" } });
      await scene.enqueueOk(job);
      const dying = await scene.connect();
      const first = await (await scene.worker({ broker: dying })).delivery(0);
      await dying.close();
      const second = await (await scene.worker()).delivery(0);
      scene.deliveredTimes(first, 1);
      scene.deliveredTimes(second, 2);
      assert.deepEqual(
        [second.message.body, second.message.headers],
        [first.message.body, first.message.headers],
      );
      assert.deepEqual(
        [second.message.sequence, second.message.storedAt],
        [first.message.sequence, first.message.storedAt],
      );
      assert.deepEqual([first.lease.isHeld(), second.lease.isHeld()], [false, true]);
    },
  ),

  sharedCase(
    "work: what is held of a queue that is removed and made anew settles nothing of the new one",
    async (scene) => {
      await scene.enqueueOk(scene.job());
      const broker = await scene.connect();
      // Its one slot is taken: it asks for nothing of the new queue.
      const old = await scene.worker({ broker, slots: 1 });
      const held = await old.delivery(0);
      await scene.broker.queues.remove(scene.queue);
      await scene.ensure({});
      const [job] = await scene.enqueueOk(scene.job());
      const dying = await scene.connect();
      const first = await (await scene.worker({ broker: dying })).delivery(0);
      // Whoever holds the old job has not been told yet, or is told: both are right.
      await broker.settle(held, [{ do: "ack" }]).catch((error: unknown) => {
        if (!MillraceError.is(error, "lease-lost")) throw error;
      });
      await old.stop();
      await dying.close();
      const second = await (await scene.worker()).delivery(0);
      assert.equal(envelopeOf(second.message).id, job?.id);
      // Who compares two jobs of an id counts on it.
      assert.ok(first.message.sequence > held.message.sequence);
    },
  ),

  conformanceCase("work: a sign of life moves on with each delivery", async (scene) => {
    const worker = await scene.worker();
    const before = worker.subscription.lastActivity;
    assert.ok(Number.isFinite(before));
    await scene.passes(20);
    await scene.enqueueOk(scene.job());
    await worker.delivery(0);
    assert.ok(
      worker.subscription.lastActivity > before,
      `${worker.subscription.lastActivity} is not after ${before}`,
    );
  }),

  conformanceCase("work: a queue that does not exist is refused", async (scene) => {
    await rejectsWith("queue-not-found", scene.worker({ queue: scene.harness.queueName() }));
  }),

  conformanceCase(
    "work: starting and stopping over and over loses nothing and leaves nothing held",
    async (scene) => {
      const jobs = scene.jobs(40);
      const workers: SceneWorker[] = [];
      const round = async (index: number): Promise<void> => {
        const worker = await scene.worker({ slots: 2, acks: true });
        workers.push(worker);
        await scene.enqueueOk(...jobs.slice(index * 2, index * 2 + 2));
        await Promise.all([worker.subscription.stop(), worker.subscription.stop()]);
      };
      for (let index = 0; index < 10; index += 1) await round(index);
      await Promise.all(Array.from({ length: 10 }, (_, index) => round(index + 10)));
      workers.push(await scene.worker({ acks: true }));
      await scene.harness.eventually("an empty queue", async () => {
        const { queued, running } = await scene.broker.queues.snapshot(scene.queue);
        return queued + running === 0;
      });
      assert.equal((await scene.broker.queues.snapshot(scene.queue)).oldestAgeMs, 0);
      assert.deepEqual(
        new Set(workers.flatMap(({ messageIds }) => messageIds)),
        new Set(jobs.map(({ id }) => id)),
      );
    },
  ),
];
