import assert from "node:assert/strict";
import type { RunningJob } from "../../broker/broker.ts";
import { type ConformanceCase, conformanceCase, sharedCase } from "./scene.ts";

export const lookingCases: readonly ConformanceCase[] = [
  conformanceCase(
    "looking: a job that waits in its queue is found, with its fields",
    async (scene) => {
      const jobs = scene.jobs(20);
      await scene.enqueueOk(...jobs);
      const wanted = jobs[13];
      assert.ok(wanted);
      for (const options of [{}, { queue: scene.queue }]) {
        const found = await scene.broker.findWaiting(wanted.id, options);
        assert.deepEqual([found?.state, found?.envelope], ["queued", wanted]);
        assert.ok(found && Math.abs(found.storedAt - scene.harness.now()) < 60_000);
      }
      assert.equal(
        await scene.broker.findWaiting(wanted.id, { queue: await scene.anotherQueue() }),
        undefined,
      );
      assert.equal(await scene.broker.findWaiting("unknown-to-all"), undefined);
    },
  ),

  conformanceCase(
    "looking: a job that waits for its time is found, and not once it is settled",
    async (scene) => {
      const job = scene.job({ headers: { "x-tenant": "seven" } });
      const later = { ...job, generation: 1, attempts: 1, notBefore: scene.harness.now() + 60_000 };
      await scene.enqueueOk(job);
      const worker = await scene.worker();
      await worker.settle(
        await worker.delivery(0),
        { do: "requeue", envelope: later },
        { do: "ack" },
      );
      for (const options of [{}, { queue: scene.queue }]) {
        const found = await scene.harness.eventually("the delayed job", () =>
          scene.broker.findWaiting(job.id, options),
        );
        assert.deepEqual([found.state, found.envelope], ["delayed", later]);
      }
      const done = scene.job();
      await scene.enqueueOk(done);
      const held = await worker.delivery(1);
      assert.equal((await scene.broker.findWaiting(done.id))?.state, "queued");
      await worker.ack(held);
      await scene.harness.eventually(
        "the settled job to be gone",
        async () => (await scene.broker.findWaiting(done.id)) === undefined,
      );
    },
  ),

  sharedCase(
    "looking: the node that runs a job says so, over another connection, until it stops answering",
    async (scene) => {
      const other = await scene.connect();
      const running: RunningJob = {
        id: `${scene.queue}-run`,
        queue: scene.queue,
        name: "conformance.job",
        node: "node-b",
        attempt: 2,
        startedAt: scene.harness.now(),
      };
      const silent = await other.answerWhoRuns(() => undefined);
      const answering = await other.answerWhoRuns((id) =>
        id === running.id ? running : undefined,
      );
      scene.later(() => Promise.all([silent.stop(), answering.stop()]));
      assert.deepEqual(await scene.broker.whoRuns(running.id, { timeoutMs: 2_000 }), running);
      assert.equal(await scene.broker.whoRuns("unknown-to-all", { timeoutMs: 100 }), undefined);
      await answering.stop();
      await answering.stop();
      assert.equal(await scene.broker.whoRuns(running.id, { timeoutMs: 100 }), undefined);
    },
  ),
];
