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
    "arrivals: whoever has a job is asked by the lane that serves it, and not by the one it is in",
    async (scene) => {
      const { arrivals, blocked } = scene.broker;
      const handedOut = async (id: string): Promise<boolean> => {
        const jobs = await scene.broker.listWaiting(scene.queue);
        return jobs.find(({ envelope }) => envelope.id === id)?.isHandedOut === true;
      };
      const other = await scene.anotherQueue();
      const worker = await scene.worker({ slots: 1 });

      // A chain into another queue comes in by the programs' door, which has no lanes.
      const next = [{ name: "mail.sent", queue: other }];
      const chained = { ...scene.job(), lane: "high" as const, next };
      await scene.enqueueOk(chained);
      const first = await worker.delivery(0);
      assert.equal(await handedOut(chained.id), true);
      assert.equal(await arrivals.takeOut(scene.queue, first.message.sequence), "handed-out");
      await worker.ack(first);

      // What waited at a gate is served with the high lane.
      const low = { ...scene.job(), lane: "low" as const };
      await scene.enqueueOk(low);
      const block = { do: "block", envelope: { ...low, generation: 1 }, gate: "a" } as const;
      await worker.settle(await worker.delivery(1), block, { do: "ack" });
      assert.equal(await blocked.release(scene.queue, "a", 1), 1);
      const woken = await worker.delivery(2);
      assert.equal(await handedOut(low.id), true);
      assert.equal(await arrivals.takeOut(scene.queue, woken.message.sequence), "handed-out");
      worker.slots = 0;
      await worker.ack(woken);
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
