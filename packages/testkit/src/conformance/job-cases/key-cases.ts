import assert from "node:assert/strict";
import type { DeadLetter, EnqueueResult, Envelope } from "@millrace/core";
import { type ConformanceCase, conformanceCase, envelopeOf, type Scene } from "../scene.ts";

/** Enqueues the job by its id as a key, once the queue has forgotten what came before. */
async function later(scene: Scene, job: Envelope): Promise<EnqueueResult> {
  const other = scene.job();
  await scene.broker.enqueue([other]);
  await scene.harness.eventually("the queue to forget an id", async () => {
    const [result] = await scene.broker.enqueue([other]);
    return result?.ok === true && !result.duplicate;
  });
  const [result] = await scene.broker.enqueue([job], { keys: new Set([job.id]) });
  assert.ok(result);
  return result;
}

async function isKnown(scene: Scene, job: Envelope): Promise<void> {
  const { id, queue } = job;
  const known = await later(scene, job);
  assert.ok(known.ok);
  const { onRecordSince = 0, ...others } = known;
  assert.deepEqual(others, { ok: true, id, queue, sequence: 0, duplicate: true });
  assert.ok(onRecordSince > 0 && onRecordSince <= (await scene.broker.serverNow()));
}

export const keyCases: readonly ConformanceCase[] = [
  conformanceCase(
    "keys: a job whose id is a key comes as it was enqueued, and while it is there no other of its id does, for whichever lane",
    async (scene) => {
      await scene.ensure({ dedupeWindowMs: 100 });
      for (const lane of ["high", undefined, "low"] as const) {
        const job = scene.job({ headers: { "x-tenant": "a" }, ...(lane && { lane }) });
        const stored = await later(scene, job);
        assert.ok(stored.ok && scene.isTakenAsNew(stored));
        const { lane: _, ...others } = job;
        for (const other of ["high", undefined, "low"] as const)
          await isKnown(scene, { ...others, ...(other && { lane: other }) });
        const worker = await scene.worker({ slots: 100 });
        const delivery = await scene.harness.eventually("the job", () =>
          worker.deliveries.find(({ message }) => envelopeOf(message).id === job.id),
        );
        assert.deepEqual(envelopeOf(delivery.message), { ...job, sentFrom: scene.queue });
        await isKnown(scene, job);
        await worker.stop();
      }
    },
  ),

  conformanceCase(
    "keys: an id is known while a record, a dead letter or a delayed job has it, and no longer",
    async (scene) => {
      await scene.ensure({ dedupeWindowMs: 100 });
      const ways = ["record", "bury", "delay", "nothing"] as const;
      const jobs = new Map(ways.map((way) => [way, scene.job()]));
      await scene.broker.enqueue([...jobs.values()], {
        keys: new Set([...jobs.values()].map(({ id }) => id)),
      });
      const worker = await scene.worker({ slots: 4 });
      for (const [way, job] of jobs) {
        const delivery = await scene.harness.eventually("the job", () =>
          worker.deliveries.find(({ message }) => envelopeOf(message).id === job.id),
        );
        const { sequence } = delivery.message;
        const letter: DeadLetter = {
          ...{ id: job.id, name: job.name, queue: job.queue, reason: "fatal", attempts: 1 },
          ...{ at: scene.harness.now(), node: "n", body: delivery.message.body, headers: {} },
        };
        const notBefore = scene.harness.now() + 600_000;
        const step = {
          record: { do: "record", record: scene.record(job, { sequence }) },
          bury: { do: "bury", letter },
          delay: { do: "requeue", envelope: { ...job, generation: 1, notBefore } },
          nothing: undefined,
        } as const;
        const first = step[way];
        await worker.settle(delivery, ...(first === undefined ? [] : [first]), { do: "ack" });
      }
      for (const way of ["record", "bury", "delay"] as const)
        await isKnown(scene, jobs.get(way) as Envelope);
      const gone = jobs.get("nothing") as Envelope;
      const again = await scene.harness.eventually("the ack to be carried out", async () => {
        const result = await later(scene, gone);
        return result.ok && !result.duplicate ? result : undefined;
      });
      assert.ok(again.ok);
      const [unasked] = await scene.broker.enqueue([jobs.get("record") as Envelope]);
      assert.ok(unasked?.ok && !unasked.duplicate, "asked for by the window alone");
    },
  ),

  conformanceCase(
    "keys: a job that waits is known by its id only where the id was its key",
    async (scene) => {
      await scene.ensure({ dedupeWindowMs: 100 });
      const job = scene.job();
      await scene.broker.enqueue([job]);
      const stored = await later(scene, job);
      assert.ok(stored.ok && scene.isTakenAsNew(stored), "the first was no key");
      assert.ok(stored.onRecordSince === undefined);
      await isKnown(scene, job);
    },
  ),
];
