import assert from "node:assert/strict";
import { type Delivery, type Outcome, retryPolicy, settle, type Settlement } from "@millrace/core";
import {
  type ConformanceCase,
  conformanceCase,
  envelopeOf,
  rejectsWith,
  type Scene,
  sharedCase,
} from "../scene.ts";

const ERROR = { type: "Error", message: "it broke", stack: "Error: it broke\n    at handler" };

export const settleCases: readonly ConformanceCase[] = [
  conformanceCase("settle: an ack ends the job", async (scene) => {
    await scene.enqueueOk(scene.job());
    const worker = await scene.worker();
    await worker.ack(await worker.delivery(0));
    await scene.harness.eventually("an empty queue", async () => {
      const { queued, running } = await scene.broker.queues.snapshot(scene.queue);
      return queued + running === 0;
    });
  }),

  sharedCase(
    "settle: with no steps a delivery is abandoned and comes to another holder",
    async (scene) => {
      const job = scene.job();
      await scene.enqueueOk(job);
      const tired = await scene.worker({ slots: 1, broker: await scene.connect() });
      const delivery = await tired.delivery(0);
      await tired.subscription.stop();
      await tired.settle(delivery);
      const next = await scene.worker();
      scene.deliveredTimes(await next.delivery(0), 2);
      assert.deepEqual(next.messageIds, [job.id]);
    },
  ),

  conformanceCase(
    "settle: what is to follow a job is refused where it would be altered on its way",
    async (scene) => {
      const job = scene.job();
      await scene.enqueueOk(job);
      const worker = await scene.worker({ slots: 1 });
      const delivery = await worker.delivery(0);
      const following = { ...scene.job(), payload: { text: "half a character: \u{d83d}" } };
      await rejectsWith(
        "unserializable-payload",
        scene.broker.settle(delivery, [{ do: "enqueue", envelope: following }, { do: "ack" }]),
      );
      assert.ok(delivery.lease.isHeld());
      await worker.ack(delivery);
    },
  ),

  conformanceCase(
    "settle: where a step fails, nothing after it is done, and the job stays with its holder",
    async (scene) => {
      await scene.ensure({ maxJobs: 1 });
      const job = scene.job();
      await scene.enqueueOk(job);
      const worker = await scene.worker({ slots: 1 });
      const delivery = await worker.delivery(0);
      await rejectsWith(
        "queue-full",
        scene.broker.settle(delivery, [
          { do: "requeue", envelope: { ...job, attempts: 1, generation: 1 } },
          { do: "record", record: scene.record(job) },
          { do: "ack" },
        ]),
      );
      assert.deepEqual(await scene.broker.history.read({ id: job.id }), []);
      assert.ok(delivery.lease.isHeld());
      assert.equal((await scene.broker.queues.snapshot(scene.queue)).running, 1);
      await worker.settle(delivery, { do: "record", record: scene.record(job) }, { do: "ack" });
      assert.equal((await scene.broker.history.read({ id: job.id })).length, 1);
    },
  ),

  conformanceCase(
    "settle: a job that fails three times of three becomes a dead letter with its history behind it",
    async (scene) => {
      const job = scene.job({ maxAttempts: 3 });
      await scene.enqueueOk(job);
      const worker = await scene.worker();
      const settled: Settlement[] = [];
      for (let index = 0; index < 3; index += 1) {
        const delivery = await worker.delivery(index);
        const settlement = settlementOf(scene, delivery, {
          kind: "failed",
          error: { ...ERROR, message: `failure ${index + 1}` },
          retry: "policy",
        });
        settled.push(settlement);
        await worker.settle(delivery, ...settlement.steps);
      }
      assert.deepEqual(
        settled.map(({ state }) => state),
        ["requeued", "requeued", "dead"],
      );
      const records = await scene.broker.history.read({ id: job.id, queue: scene.queue });
      assert.deepEqual(
        records.map(({ state, attempts, generation, error }) => [
          state,
          attempts,
          generation,
          error?.message,
        ]),
        [
          ["requeued", 1, 0, "failure 1"],
          ["requeued", 2, 1, "failure 2"],
          ["dead", 3, 2, "failure 3"],
        ],
      );
      const [letter] = await scene.broker.deadLetters.list({ queue: scene.queue });
      assert.deepEqual(
        [letter?.attempts, letter?.reason, letter?.error?.message, letter?.firstError?.message],
        [3, "attempts-exhausted", "failure 3", "failure 1"],
      );
      // Byte by byte: a broker may give a subclass of Uint8Array.
      const last = await worker.delivery(2);
      assert.deepEqual([...(letter?.body ?? [])], [...last.message.body]);
    },
  ),

  conformanceCase(
    "settle: what a holder settled up to the ack is told by the history, so that a redelivery is recalled",
    async (scene) => {
      const job = scene.job();
      await scene.enqueueOk(job);
      const worker = await scene.worker();
      const delivery = await worker.delivery(0);
      await scene.broker.settle(delivery, [{ do: "record", record: scene.record(job) }]);
      const records = await scene.broker.history.read({ id: job.id, queue: scene.queue });
      assert.ok(
        records.some(({ generation }) => generation === envelopeOf(delivery.message).generation),
      );
      await worker.settle(
        delivery,
        ...settlementOf(scene, delivery, { kind: "recalled" }, "queued").steps,
      );
      await scene.harness.eventually(
        "an empty queue",
        async () => (await scene.broker.queues.snapshot(scene.queue)).running === 0,
      );
    },
  ),
];

function settlementOf(
  scene: Scene,
  delivery: Delivery,
  outcome: Outcome,
  from: "queued" | "running" = "running",
): Settlement {
  return settle({
    envelope: envelopeOf(delivery.message),
    message: delivery.message,
    deliveryCount: delivery.deliveryCount,
    from,
    outcome,
    policy: retryPolicy({ backoff: "none" }),
    now: scene.harness.now(),
    random: 0.5,
    node: "conformance",
  });
}
