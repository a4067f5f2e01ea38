import assert from "node:assert/strict";
import type { DelayedJob, DelayedQuery, Envelope } from "@millrace/core";
import {
  type ConformanceCase,
  conformanceCase,
  envelopeOf,
  rejectsWith,
  type Scene,
  sharedCase,
} from "../scene.ts";

const MINUTE_MS = 60_000;

/** Puts a job where jobs wait for their time, as a first settlement does. */
async function delay(
  scene: Scene,
  dueInMs: number,
  more: Partial<Envelope> = {},
): Promise<Envelope> {
  const job = scene.job({
    generation: 1,
    notBefore: Math.round(scene.harness.now()) + dueInMs,
    ...more,
  });
  await scene.broker.requeue(job);
  return job;
}

async function startMover(scene: Scene): Promise<void> {
  const mover = await scene.broker.moveDueJobs();
  scene.later(() => mover.stop());
}

const idsOf = (jobs: readonly DelayedJob[]): readonly string[] => jobs.map(({ id }) => id);

export const delayedCases: readonly ConformanceCase[] = [
  conformanceCase(
    "delayed: lists what waits for its time, with its fields, soonest due first",
    async (scene) => {
      const later = await delay(scene, 2 * MINUTE_MS, { lane: "high", attempts: 2, generation: 3 });
      const sooner = await delay(scene, MINUTE_MS);
      const elsewhere = await scene.anotherQueue();
      const other = await delay(scene, MINUTE_MS, { queue: elsewhere });
      const listed = await scene.broker.delayed.list({ queue: scene.queue });
      assert.deepEqual(
        listed.map(({ storedAt: _at, position: _position, ...job }) => job),
        [sooner, later].map((job) => ({
          id: job.id,
          queue: scene.queue,
          name: "conformance.job",
          notBefore: job.notBefore,
          generation: job.generation,
          attempts: job.attempts,
          byProducer: job === sooner,
          ...(job.lane === undefined ? {} : { lane: job.lane }),
        })),
      );
      for (const { storedAt } of listed)
        assert.ok(Math.abs(storedAt - scene.harness.now()) < MINUTE_MS);
      const all = idsOf(await scene.broker.delayed.list({ limit: 10_000 }));
      for (const { id } of [later, sooner, other]) assert.ok(all.includes(id), `${id} is missing`);
      assert.deepEqual(idsOf(await scene.broker.delayed.list({ queue: elsewhere })), [other.id]);
      const whole = await scene.broker.delayed.list({ queue: scene.queue, envelopes: true });
      assert.deepEqual(
        whole.map(({ envelope }) => envelope),
        [sooner, later],
      );
    },
  ),

  conformanceCase(
    "delayed: pages go on after a position until nothing is left, each job in one of them",
    async (scene) => {
      const ids: string[] = [];
      for (let n = 0; n < 7; n += 1) ids.push((await delay(scene, (9 - n) * MINUTE_MS)).id);
      const pages: string[][] = [];
      for (let after = 0; pages.length < 10;) {
        const page = await scene.broker.delayed.list({ queue: scene.queue, limit: 3, after });
        if (page.length === 0) break;
        pages.push([...idsOf(page)]);
        after = Math.max(...page.map(({ position }) => position));
      }
      assert.deepEqual(
        pages.map((page) => page.length),
        [3, 3, 1],
      );
      // Pages in the order of waiting, and in a page the soonest due first: here the one that came
      // last.
      assert.deepEqual(
        pages.map((page) => page.toReversed()),
        [ids.slice(0, 3), ids.slice(3, 6), ids.slice(6)],
      );
    },
  ),

  conformanceCase(
    "delayed: a page ends where it is to, by position or by bytes, and what is moved lies behind the newest",
    async (scene) => {
      const { delayed } = scene.broker;
      const payload = "x".repeat(1_000);
      const ids: string[] = [];
      for (let n = 0; n < 3; n += 1)
        ids.push((await delay(scene, (9 - n) * MINUTE_MS, { payload })).id);
      const [first = "", second = "", third = ""] = ids;
      const newest = await delayed.newest({ once: true });
      const { queue } = scene;
      const later = Math.round(scene.harness.now()) + 20 * MINUTE_MS;
      assert.equal(await delayed.move(second, queue, later), true);
      assert.ok((await delayed.newest()) > newest);
      const listed = async (query: DelayedQuery): Promise<readonly string[]> =>
        idsOf(await delayed.list({ queue, ...query })).toSorted();
      assert.deepEqual(await listed({ until: newest }), [first, third].toSorted());
      assert.deepEqual(await listed({ after: newest }), [second]);
      assert.deepEqual(await listed({ bytes: 1 }), [first]);
      assert.deepEqual(await listed({ bytes: 1_500 }), [first, third].toSorted());
      assert.equal((await listed({ bytes: 100_000 })).length, 3);
    },
  ),

  conformanceCase(
    "delayed: a longer list is as complete as a short one, and counted",
    async (scene) => {
      const count = 260;
      await Promise.all(Array.from({ length: count }, () => delay(scene, MINUTE_MS)));
      const listed = await scene.broker.delayed.list({ queue: scene.queue, limit: count + 1 });
      assert.equal(new Set(idsOf(listed)).size, count);
      assert.equal(listed.length, count);
      await scene.showsAtOnce(
        "all of them counted",
        () => scene.broker.delayed.count(scene.queue),
        count,
      );
      assert.ok((await scene.broker.delayed.count()) >= count);
      assert.equal(await scene.broker.delayed.count(await scene.anotherQueue()), 0);
    },
  ),

  conformanceCase(
    "delayed: a job that is moved to now comes to its queue, whole, in its lane, once",
    async (scene) => {
      const job = await delay(scene, 10 * MINUTE_MS, {
        lane: "low",
        headers: { "x-tenant": "seven" },
        attempts: 1,
        interruptions: 2,
        crashes: 1,
        snoozes: 3,
      });
      await startMover(scene);
      const worker = await scene.worker();
      const before = scene.harness.now();
      assert.equal(await scene.broker.delayed.move(job.id, scene.queue, "now"), true);
      const delivery = await worker.delivery(0);
      const { message } = delivery;
      const { notBefore = 0, ...envelope } = envelopeOf(message);
      const { notBefore: _old, ...expected } = job;
      assert.deepEqual(envelope, expected);
      assert.ok(notBefore >= Math.floor(before) && notBefore <= scene.harness.now());
      assert.deepEqual([message.origin, message.lane], ["runtime", "low"]);
      scene.deliveredTimes(delivery, 1);
      await scene.harness.eventually(
        "nothing delayed",
        async () => (await scene.broker.delayed.count(scene.queue)) === 0,
      );
      assert.equal(await scene.broker.delayed.move(job.id, scene.queue, "now"), false);
      assert.equal(worker.deliveries.length, 1);
    },
  ),

  conformanceCase(
    "delayed: a job that is brought to be cancelled says so itself; another of its id is left where it is",
    async (scene) => {
      const job = await delay(scene, 10 * MINUTE_MS);
      await startMover(scene);
      const worker = await scene.worker();
      const { delayed } = scene.broker;
      const other = { cancellation: { reason: "not this one", createdAt: job.createdAt - 1 } };
      assert.equal(await delayed.move(job.id, scene.queue, "now", other), false);
      await scene.showsAtOnce("it still delayed", () => delayed.count(scene.queue), 1);
      const meant = { cancellation: { reason: "not needed", createdAt: job.createdAt } };
      assert.equal(await delayed.move(job.id, scene.queue, "now", meant), true);
      const { message } = await worker.delivery(0);
      assert.equal(envelopeOf(message).cancelled, "not needed");
      assert.equal(envelopeOf(message).generation, job.generation);
    },
  ),

  conformanceCase("delayed: a job that is moved to a time comes at that time", async (scene) => {
    await startMover(scene);
    const worker = await scene.worker();
    const sooner = await delay(scene, 10 * MINUTE_MS);
    const later = await delay(scene, 4_500);
    const at = Math.round(scene.harness.now()) + 2_500;
    assert.equal(await scene.broker.delayed.move(later.id, scene.queue, at + 60_000), true);
    assert.equal(await scene.broker.delayed.move(sooner.id, scene.queue, at), true);
    const listed = await scene.broker.delayed.list({ queue: scene.queue });
    assert.deepEqual(
      listed.map(({ id, notBefore }) => [id, notBefore]),
      [
        [sooner.id, at],
        [later.id, at + 60_000],
      ],
    );
    const { message } = await worker.delivery(0);
    assert.ok(scene.harness.now() >= at - 5, `it came ${at - scene.harness.now()} ms early`);
    const { id, notBefore } = envelopeOf(message);
    assert.deepEqual([id, notBefore], [sooner.id, at]);
    // The time the other one was moved away from has passed.
    await scene.passes(Math.max(0, (later.notBefore ?? 0) + 500 - scene.harness.now()));
    assert.equal(worker.deliveries.length, 1);
    await scene.showsAtOnce(
      "only the other one delayed",
      () => scene.broker.delayed.count(scene.queue),
      1,
    );
    const found = await scene.broker.findWaiting(later.id, { queue: scene.queue });
    assert.deepEqual(found?.envelope, { ...later, notBefore: at + 60_000 });
  }),

  conformanceCase(
    "delayed: a job that waits for another time than the one that is meant is left where it is",
    async (scene) => {
      const job = await delay(scene, 10 * MINUTE_MS);
      const { delayed } = scene.broker;
      const from = job.notBefore ?? 0;
      const move = (to: number) => delayed.move(job.id, scene.queue, to, { from });
      assert.equal(await move(from + MINUTE_MS), true);
      assert.equal(await move(from + 2 * MINUTE_MS), false);
      const [listed] = await delayed.list({ queue: scene.queue });
      assert.equal(listed?.notBefore, from + MINUTE_MS);
    },
  ),

  conformanceCase(
    "delayed: moved over and over a job is there once, and the last time holds",
    async (scene) => {
      const job = await delay(scene, 10 * MINUTE_MS);
      await startMover(scene);
      const worker = await scene.worker();
      for (let n = 1; n <= 5; n += 1)
        assert.equal(
          await scene.broker.delayed.move(
            job.id,
            scene.queue,
            (job.notBefore ?? 0) + n * MINUTE_MS,
          ),
          true,
        );
      assert.deepEqual(
        (await scene.broker.delayed.list({ queue: scene.queue })).map(({ id, notBefore }) => [
          id,
          notBefore,
        ]),
        [[job.id, (job.notBefore ?? 0) + 5 * MINUTE_MS]],
      );
      assert.equal(await scene.broker.delayed.move(job.id, scene.queue, 1), true);
      await worker.delivery(0);
      await scene.harness.eventually(
        "nothing delayed",
        async () => (await scene.broker.delayed.count(scene.queue)) === 0,
      );
      assert.equal(worker.deliveries.length, 1);
    },
  ),

  sharedCase(
    "delayed: of many that move a job at once each is heard, and the job is there once",
    async (scene) => {
      const job = await delay(scene, 10 * MINUTE_MS);
      const other = await scene.connect();
      const times = Array.from({ length: 8 }, (_, n) => (job.notBefore ?? 0) + n * 1_000);
      const moved = await Promise.all(
        times.map((time, n) =>
          (n % 2 === 0 ? scene.broker : other).delayed.move(job.id, scene.queue, time),
        ),
      );
      assert.deepEqual(new Set(moved), new Set([true]));
      const listed = await scene.broker.delayed.list({ queue: scene.queue });
      assert.deepEqual(idsOf(listed), [job.id]);
      assert.ok(times.includes(listed[0]?.notBefore ?? 0));
    },
  ),

  conformanceCase(
    "delayed: what does not wait for its time is not moved, and a time must be one",
    async (scene) => {
      const queued = scene.job();
      await scene.enqueueOk(queued);
      const { delayed } = scene.broker;
      assert.equal(await delayed.move(queued.id, scene.queue, "now"), false);
      assert.equal(await delayed.move("unknown-to-all", scene.queue, "now"), false);
      const job = await delay(scene, 10 * MINUTE_MS, {
        expiresAt: Math.round(scene.harness.now()) + 20 * MINUTE_MS,
      });
      assert.equal(await delayed.move(job.id, await scene.anotherQueue(), "now"), false);
      for (const time of [Number.NaN, 1.5, -1, 253_402_300_800_000])
        await rejectsWith("invalid-option", delayed.move(job.id, scene.queue, time));
      const tooFar = Math.round(scene.harness.now()) + scene.broker.maxDelayMs + MINUTE_MS;
      await rejectsWith("invalid-option", delayed.move(job.id, scene.queue, tooFar));
      await rejectsWith(
        "already-expired",
        delayed.move(job.id, scene.queue, scene.harness.now() + 30 * MINUTE_MS),
      );
      await rejectsWith("invalid-name", delayed.move("a.b", scene.queue, "now"));
      await rejectsWith("invalid-name", delayed.move(job.id, "a.b", "now"));
      assert.deepEqual(
        (await delayed.list({ queue: scene.queue })).map(({ notBefore }) => notBefore),
        [job.notBefore],
      );
    },
  ),

  conformanceCase(
    "delayed: jobs of one id and generation in two queues wait side by side",
    async (scene) => {
      const job = await delay(scene, 10 * MINUTE_MS);
      const queue = await scene.anotherQueue();
      await scene.broker.requeue({ ...job, queue });
      for (const each of [scene.queue, queue])
        assert.deepEqual(idsOf(await scene.broker.delayed.list({ queue: each })), [job.id]);
      assert.equal(await scene.broker.delayed.move(job.id, queue, "now"), true);
      await scene.showsAtOnce(
        "the other one still delayed",
        () => scene.broker.delayed.count(scene.queue),
        1,
      );
    },
  ),

  conformanceCase(
    "looking: what waits in a queue is listed, the queue's own first, then what waits for its time",
    async (scene) => {
      const jobs = await scene.enqueueOk(...scene.jobs(3));
      const later = await delay(scene, 10 * MINUTE_MS);
      const all = await scene.broker.listWaiting(scene.queue);
      assert.deepEqual(
        all.map(({ state, envelope }) => [state, envelope]),
        [...jobs.map((job) => ["queued", { ...job, sentFrom: scene.queue }]), ["delayed", later]],
      );
      for (const { storedAt } of all)
        assert.ok(Math.abs(storedAt - scene.harness.now()) < MINUTE_MS);
      const two = await scene.broker.listWaiting(scene.queue, { limit: 2 });
      assert.deepEqual(
        two.map(({ envelope }) => envelope.id),
        jobs.slice(0, 2).map(({ id }) => id),
      );
      const { queue } = scene;
      const after = all[0]?.position ?? 0;
      const rest = await scene.broker.listWaiting(queue, { after });
      assert.deepEqual(
        rest.map(({ envelope, position }) => [envelope.id, position === undefined]),
        [...jobs.slice(1).map(({ id }) => [id, false]), [later.id, true]],
      );
      assert.equal((await scene.broker.listWaiting(queue, { bytes: 1 })).length, 1);
      assert.equal((await scene.broker.listWaiting(queue, { bytes: 100_000 })).length, 4);
      assert.deepEqual(await scene.broker.listWaiting(await scene.anotherQueue()), []);
      await rejectsWith("queue-not-found", scene.broker.listWaiting(scene.harness.queueName()));
    },
  ),

  conformanceCase(
    "looking: a job that runs is in its queue until it is settled, and listed there",
    async (scene) => {
      const jobs = scene.jobs(2);
      await scene.enqueueOk(...jobs);
      const worker = await scene.worker({ slots: 1 });
      const delivery = await worker.delivery(0);
      const list = async (): Promise<readonly string[]> =>
        (await scene.broker.listWaiting(scene.queue)).map(({ envelope }) => envelope.id);
      assert.deepEqual(
        await list(),
        jobs.map(({ id }) => id),
      );
      const handedOut = (await scene.broker.listWaiting(scene.queue)).map((one) => one.isHandedOut);
      assert.deepEqual(handedOut, [true, undefined]);
      worker.slots = 0;
      await worker.ack(delivery);
      await scene.harness.eventually(
        "the settled job to be gone",
        async () => (await list()).length === 1,
      );
      assert.deepEqual(await list(), [jobs[1]?.id]);
    },
  ),

  conformanceCase("looking: a list is as long as was asked for", async (scene) => {
    const jobs = await scene.enqueueOk(...scene.jobs(450));
    for (const limit of [1, 100, 201, 450, 1_000]) {
      const listed = await scene.broker.listWaiting(scene.queue, { limit });
      assert.deepEqual(
        listed.map(({ envelope }) => envelope.id),
        jobs.slice(0, limit).map(({ id }) => id),
      );
    }
  }),
];
