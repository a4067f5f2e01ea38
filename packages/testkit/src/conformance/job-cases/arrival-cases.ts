import assert from "node:assert/strict";
import { type ConformanceCase, conformanceCase, rejectsWith } from "../scene.ts";

export const arrivalCases: readonly ConformanceCase[] = [
  conformanceCase(
    "arrivals: what lies in a queue is read on from a position, what is settled is not there",
    async (scene) => {
      const { arrivals } = scene.broker;
      const empty = await arrivals.stretch(scene.queue, { after: 0 });
      assert.deepEqual(empty.jobs, []);
      assert.ok(empty.oldest > empty.newest);
      const jobs = scene.jobs(5);
      await scene.enqueueOk(...jobs);
      const first = await arrivals.stretch(scene.queue, { after: 0, limit: 2 });
      const ids = ({ jobs: found }: typeof first): readonly string[] =>
        found.map(({ envelope }) => envelope.id);
      const wanted = jobs.map(({ id }) => id);
      assert.deepEqual(ids(first), wanted.slice(0, 2));
      assert.equal(first.until, first.jobs[1]?.position);
      const rest = await arrivals.stretch(scene.queue, { after: first.until });
      assert.deepEqual(ids(rest), wanted.slice(2));
      assert.deepEqual(
        [first.oldest, rest.until],
        [first.jobs[0]?.position, rest.newest],
        "the ends are of the whole queue",
      );
      assert.deepEqual(rest.jobs[0]?.envelope.payload, jobs[2]?.payload);
      const worker = await scene.worker({ slots: 1 });
      const delivery = await worker.delivery(0);
      worker.slots = 0;
      await worker.ack(delivery);
      await scene.harness.eventually(
        "the settled job to be gone",
        async () => (await arrivals.stretch(scene.queue, { after: 0 })).jobs.length === 4,
      );
      const left = await arrivals.stretch(scene.queue, { after: 0 });
      assert.equal(left.newest, rest.newest);
      assert.ok(left.oldest > first.oldest);
      await rejectsWith(
        "queue-not-found",
        arrivals.stretch(scene.harness.queueName(), { after: 0 }),
      );
    },
  ),

  conformanceCase(
    "arrivals: a job that was handed to nobody is taken out, one that somebody has is left alone",
    async (scene) => {
      const { arrivals } = scene.broker;
      const [first, ...rest] = scene.jobs(4);
      assert.ok(first);
      await scene.enqueueOk(first, ...rest.map((job) => ({ ...job, lane: "low" as const })));
      const { jobs } = await arrivals.stretch(scene.queue, { after: 0 });
      const positions = jobs.map(({ position }) => position);
      const [one = 0, two = 0, three = 0, four = 0] = positions;
      assert.equal(positions.length, 4);
      assert.equal(await arrivals.takeOut(scene.queue, four + 1), "absent");
      assert.equal(await arrivals.takeOut(scene.queue, three), "taken");
      assert.equal(await arrivals.takeOut(scene.queue, three), "absent");
      const worker = await scene.worker({ slots: 2 });
      const held = [await worker.delivery(0), await worker.delivery(1)];
      worker.slots = 0;
      assert.deepEqual(
        held.map(({ message }) => message.sequence).toSorted((a, b) => a - b),
        [one, two],
      );
      assert.equal(await arrivals.takeOut(scene.queue, one), "handed-out");
      for (const delivery of held) await worker.ack(delivery);
      await scene.harness.eventually(
        "only what nobody took to be left",
        async () => (await arrivals.stretch(scene.queue, { after: 0 })).jobs.length === 1,
      );
    },
  ),

  conformanceCase(
    "arrivals: new jobs of every queue are heard, retries are not, and nothing after the end",
    async (scene) => {
      const heard: string[] = [];
      const listening = await scene.broker.arrivals.hear(({ id }) => heard.push(id));
      const other = await scene.anotherQueue();
      const [one, retried, two, last] = scene.jobs(4);
      assert.ok(one && retried && two && last);
      await scene.enqueueOk(one);
      await scene.broker.requeue({ ...retried, generation: 1, attempts: 1 });
      await scene.enqueueOk({ ...two, queue: other });
      await scene.harness.eventually("both to be heard", () => heard.includes(two.id));
      assert.deepEqual(heard, [one.id, two.id]);
      await listening.stop();
      await listening.stop();
      await scene.enqueueOk(last);
      await scene.broker.ping();
      assert.deepEqual(heard, [one.id, two.id]);
    },
  ),
];
