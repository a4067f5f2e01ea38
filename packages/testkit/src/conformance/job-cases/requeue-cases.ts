import assert from "node:assert/strict";
import { type Delivery, type Envelope, type HistoryRecord, messageIdOf } from "@millrace/core";
import { type ConformanceCase, conformanceCase, envelopeOf, rejectsWith } from "../scene.ts";

const ERROR = { type: "Error", message: "it broke" };

/** A job's envelope after its first failure. */
function nextOf(job: Envelope, more: Partial<Envelope> = {}): Envelope {
  return { ...job, attempts: 1, generation: 1, firstError: ERROR, lastError: ERROR, ...more };
}

function firstOf({ firstStoredAt }: Envelope): Pick<HistoryRecord, "firstStoredAt"> {
  return firstStoredAt === undefined ? {} : { firstStoredAt };
}

export const requeueCases: readonly ConformanceCase[] = [
  conformanceCase(
    "settle: a requeue is no duplicate of that of an earlier job of its id, which the queue had forgotten",
    async (scene) => {
      await scene.ensure({ dedupeWindowMs: 30_000 });
      const worker = await scene.worker();
      const job = scene.job();
      const now = scene.harness.now();
      const [earlier, later] = [now - 60_000, now].map((firstStoredAt) =>
        nextOf(job, { firstStoredAt }),
      ) as [Envelope, Envelope];
      await scene.broker.requeue(earlier);
      const first = await worker.delivery(0);
      // While that is there, and when it is settled.
      await scene.broker.requeue(later);
      const second = await worker.delivery(1);
      assert.deepEqual(envelopeOf(second.message), later);
      const recordOf = (of: Envelope, delivery: Delivery, state: "requeued" | "succeeded") => {
        const { sequence } = delivery.message;
        return scene.record(of, { state, sequence, generation: 1, ...firstOf(of) });
      };
      const ended = recordOf(earlier, first, "succeeded");
      await worker.settle(first, { do: "record", record: ended }, { do: "ack" });
      const last = { ...job, generation: 2, firstStoredAt: now };
      await worker.settle(
        second,
        { do: "requeue", envelope: last },
        { do: "record", record: recordOf(later, second, "requeued") },
        { do: "ack" },
      );
      assert.deepEqual(envelopeOf((await worker.delivery(2)).message), last);
      // Each of them once, however often it is published.
      await scene.broker.requeue(later);
      await scene.broker.requeue({ ...last, generation: 3 });
      assert.equal(envelopeOf((await worker.delivery(3)).message).generation, 3);
    },
  ),

  conformanceCase(
    "settle: a requeue comes back as the runtime's, whole, in its lane, with its headers, delivered for the first time",
    async (scene) => {
      const job = scene.job({
        lane: "low",
        headers: { traceparent: "00-1-2-01", "x-tenant": "seven" },
        tags: ["a"],
      });
      const next = nextOf(job, { interruptions: 2, crashes: 1, snoozes: 3 });
      await scene.enqueueOk(job);
      const worker = await scene.worker();
      await worker.settle(
        await worker.delivery(0),
        { do: "requeue", envelope: next },
        { do: "ack" },
      );
      const again = await worker.delivery(1);
      const { message } = again;
      assert.deepEqual(envelopeOf(message), next);
      assert.deepEqual([message.origin, message.lane], ["runtime", "low"]);
      scene.deliveredTimes(again, 1);
    },
  ),

  conformanceCase(
    "settle: a requeue whose time has passed comes at once, with no mover",
    async (scene) => {
      const job = scene.job();
      await scene.enqueueOk(job);
      const worker = await scene.worker();
      const next = nextOf(job, { notBefore: scene.harness.now() - 1_000 });
      await worker.settle(
        await worker.delivery(0),
        { do: "requeue", envelope: next },
        { do: "ack" },
      );
      assert.equal(envelopeOf((await worker.delivery(1)).message).generation, 1);
    },
  ),

  conformanceCase(
    "settle: a requeue for later waits for its time, then comes whole, in its lane, with its headers",
    async (scene) => {
      const job = scene.job({ lane: "high", headers: { "x-tenant": "seven" } });
      await scene.enqueueOk(job);
      const worker = await scene.worker();
      const delivery = await worker.delivery(0);
      const notBefore = scene.harness.now() + 400;
      const next = nextOf(job, { notBefore });
      await worker.settle(delivery, { do: "requeue", envelope: next }, { do: "ack" });
      await scene.harness.eventually("one delayed job and none else", async () => {
        const { queued, running, delayed } = await scene.broker.queues.snapshot(scene.queue);
        return queued === 0 && running === 0 && delayed === 1;
      });
      const mover = await scene.broker.moveDueJobs();
      scene.later(() => mover.stop());
      const again = await worker.delivery(1);
      const { message } = again;
      // Two clocks of one machine may differ by a tick; a server must not be early by more.
      assert.ok(
        scene.harness.now() >= notBefore - 5,
        `it came ${notBefore - scene.harness.now()} ms early`,
      );
      assert.deepEqual(envelopeOf(message), next);
      assert.deepEqual([message.origin, message.lane], ["runtime", "high"]);
      scene.deliveredTimes(again, 1);
      await scene.harness.eventually(
        "nothing delayed",
        async () => (await scene.broker.queues.snapshot(scene.queue)).delayed === 0,
      );
      await worker.ack(await worker.delivery(1));
      await mover.stop();
      await mover.stop();
    },
  ),

  conformanceCase("settle: delayed jobs come in the order of their times", async (scene) => {
    const jobs = scene.jobs(3);
    await scene.enqueueOk(...jobs);
    const worker = await scene.worker();
    await worker.delivery(2);
    const soon = scene.harness.now() + 300;
    for (const [index, job] of jobs.entries()) {
      const delivery = await scene.harness.eventually(`the delivery of ${job.id}`, () =>
        worker.deliveries.find(({ message }) => envelopeOf(message).id === job.id),
      );
      const next = nextOf(job, { notBefore: soon + (2 - index) * 150 });
      await worker.settle(delivery, { do: "requeue", envelope: next }, { do: "ack" });
    }
    const mover = await scene.broker.moveDueJobs();
    scene.later(() => mover.stop());
    // What is stored after its time, because an election was waited for, comes in the order of
    // storing.
    await scene.comeInOrder(
      () => worker.messageIds,
      [...jobs, ...jobs.map((job) => nextOf(job)).toReversed()].map(messageIdOf),
    );
  }),

  conformanceCase(
    "settle: a settlement that is repeated stores its requeue once",
    async (scene) => {
      const [now, later] = scene.jobs(2) as [Envelope, Envelope];
      await scene.enqueueOk(now, later);
      const worker = await scene.worker({ slots: 2 });
      const [first, second] = [await worker.delivery(0), await worker.delivery(1)];
      const delayed = nextOf(later, { notBefore: scene.harness.now() + 60_000 });
      await scene.broker.settle(first, [{ do: "requeue", envelope: nextOf(now) }]);
      await scene.broker.settle(second, [{ do: "requeue", envelope: delayed }]);
      await worker.settle(first, { do: "requeue", envelope: nextOf(now) }, { do: "ack" });
      await worker.settle(second, { do: "requeue", envelope: delayed }, { do: "ack" });
      await worker.delivery(2);
      await scene.harness.eventually("one job blocked and one delayed", async () => {
        const { queued, running, delayed: count } = await scene.broker.queues.snapshot(scene.queue);
        return queued === 0 && running === 1 && count === 1;
      });
      assert.equal(worker.deliveries.length, 3);
    },
  ),

  conformanceCase(
    "requeue: publishes as the runtime does, under the generation's id, at once or for later",
    async (scene) => {
      const [now, later] = [
        scene.job({ lane: "high", headers: { "x-tenant": "seven" } }),
        scene.job(),
      ];
      const again = nextOf(now, { generation: 3 });
      await scene.broker.requeue(again);
      await scene.broker.requeue(again);
      await scene.broker.requeue(nextOf(later, { notBefore: scene.harness.now() + 60_000 }));
      const worker = await scene.worker();
      const delivery = await worker.delivery(0);
      const { message } = delivery;
      assert.deepEqual(envelopeOf(message), again);
      assert.deepEqual([message.origin, message.lane], ["runtime", "high"]);
      scene.deliveredTimes(delivery, 1);
      await scene.harness.eventually("one job blocked and one delayed", async () => {
        const { queued, running, delayed } = await scene.broker.queues.snapshot(scene.queue);
        return queued === 0 && running === 1 && delayed === 1;
      });
      await rejectsWith(
        "queue-not-found",
        scene.broker.requeue({ ...again, queue: scene.harness.queueName() }),
      );
    },
  ),

  conformanceCase("settle: generations of one job never swallow each other", async (scene) => {
    const job = scene.job();
    await scene.enqueueOk(job);
    const worker = await scene.worker();
    for (let generation = 1; generation <= 5; generation += 1) {
      const delivery = await worker.delivery(generation - 1);
      await worker.settle(
        delivery,
        { do: "requeue", envelope: { ...job, generation, snoozes: generation } },
        { do: "ack" },
      );
    }
    assert.deepEqual(envelopeOf((await worker.delivery(5)).message), {
      ...job,
      generation: 5,
      snoozes: 5,
    });
  }),

  conformanceCase(
    "settle: a job close to the size limit can be requeued with the errors it gathered, if need be without them",
    async (scene) => {
      const job = scene.job({ payload: "x".repeat(scene.broker.maxMessageBytes - 1_024) });
      await scene.enqueueOk(job);
      const worker = await scene.worker();
      const long = { type: "Error", message: "m".repeat(1_024), stack: "s".repeat(2_048) };
      await worker.settle(
        await worker.delivery(0),
        { do: "requeue", envelope: nextOf(job, { firstError: long, lastError: long }) },
        { do: "ack" },
      );
      const { attempts, payload } = envelopeOf((await worker.delivery(1)).message);
      assert.deepEqual([attempts, payload], [1, job.payload]);
    },
  ),
];
