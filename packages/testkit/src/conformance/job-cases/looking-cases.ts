import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import {
  type DeadLetter,
  type Envelope,
  isMeantRun,
  type MeantRun,
  type RunningJob,
  type WaitingJob,
} from "@millrace/core";
import { type ConformanceCase, conformanceCase, sharedCase } from "../scene.ts";

/** Moves of a job, there and back. */
const ROUND_TRIPS = 15;

export const lookingCases: readonly ConformanceCase[] = [
  conformanceCase(
    "looking: what follows a message is its job's later generations, delayed and in the queue, and its own dead letter",
    async (scene) => {
      await scene.ensure({ dedupeWindowMs: 30_000 });
      const [job, other] = [scene.job(), scene.job()];
      await scene.enqueueOk(job);
      const worker = await scene.worker({ slots: 1 });
      const delivery = await worker.delivery(0);
      const { message } = delivery;
      const generations = async (of = job): Promise<readonly number[]> =>
        (await scene.broker.successors(of, message)).waiting
          .map(({ generation }) => generation)
          .toSorted();
      const { memory, ...none } = await scene.broker.successors(job, message);
      assert.deepEqual(none, { waiting: [], letter: undefined });
      assert.equal(memory.windowMs, 30_000);
      assert.ok(memory.since <= message.storedAt, "the queue was made before its message came");
      const notBefore = scene.harness.now() + 600_000;
      const letter: DeadLetter = {
        ...{ id: job.id, name: job.name, queue: job.queue, reason: "fatal", attempts: 3 },
        ...{ at: scene.harness.now(), node: "n", body: message.body, headers: {} },
      };
      await worker.settle(
        delivery,
        { do: "bury", letter },
        { do: "requeue", envelope: { ...job, generation: 1 } },
        { do: "requeue", envelope: { ...job, generation: 2, lane: "high" } },
        { do: "requeue", envelope: { ...job, generation: 3, notBefore } },
      );
      assert.deepEqual(await generations(), [1, 2, 3]);
      assert.deepEqual(await generations({ ...job, generation: 1 }), [2, 3]);
      const found = await scene.broker.successors(job, message);
      assert.equal(found.letter?.attempts, 3);
      assert.equal(found.otherLetter, undefined);
      // All at once, as after a crash.
      const asked = await Promise.all([generations(), generations(other), generations()]);
      assert.deepEqual(asked, [[1, 2, 3], [], [1, 2, 3]]);
      const another = { ...message, sequence: message.sequence + 1 };
      const beside = await scene.broker.successors(job, another);
      assert.equal(beside.letter, undefined);
      assert.equal(beside.otherLetter?.attempts, 3);
    },
  ),

  conformanceCase(
    "looking: a queue whose one job goes to wait for its time and comes back never looks empty",
    async (scene) => {
      const mover = await scene.broker.moveDueJobs();
      scene.later(() => mover.stop());
      const worker = await scene.worker();
      const job = scene.job();
      await scene.enqueueOk(job);
      let looks = 0;
      let emptyLooks = 0;
      let moving = true;
      const looking = (async () => {
        for (; moving; looks += 1) {
          const { queued, running, delayed } = await scene.broker.queues.snapshot(scene.queue);
          if (queued + running + delayed === 0) emptyLooks += 1;
          // A broker in memory answers in the same turn.
          await setImmediate();
        }
      })();
      // So that no look meets two moves, which would be more than is promised.
      const looked = (): Promise<unknown> => {
        const before = looks;
        return scene.harness.eventually("a look with no move in it", () => looks >= before + 2);
      };
      try {
        for (let trip = 0; trip < ROUND_TRIPS; trip += 1) {
          const delivery = await worker.delivery(trip);
          await looked();
          const notBefore = scene.harness.now() + 600_000;
          const envelope = { ...job, generation: trip + 1, notBefore };
          await worker.settle(delivery, { do: "requeue", envelope }, { do: "ack" });
          await looked();
          assert.equal(await scene.broker.delayed.move(job.id, scene.queue, "now"), true);
        }
      } finally {
        moving = false;
      }
      await looking;
      assert.equal(emptyLooks, 0);
    },
  ),

  conformanceCase(
    "looking: a job that waits in its queue is found, with its fields",
    async (scene) => {
      const jobs = scene.jobs(20);
      await scene.enqueueOk(...jobs);
      const wanted = jobs[13];
      assert.ok(wanted);
      for (const options of [{}, { queue: scene.queue }]) {
        const found = await scene.broker.findWaiting(wanted.id, options);
        const sent: Envelope = { ...wanted, sentFrom: scene.queue };
        assert.deepEqual([found?.state, found?.envelope], ["queued", sent]);
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
    "looking: at the place that an enqueue says of a duplicate lies the job that is there, until it is settled",
    async (scene) => {
      const [first, job] = [scene.job(), scene.job()];
      await scene.enqueueOk(first, job);
      const again: Envelope = { ...job, payload: "another" };
      const [result] = await scene.broker.enqueue([again]);
      assert.ok(result?.ok === true && result.duplicate);
      const { queue } = scene;
      const at = (place: number) => scene.broker.findWaiting(job.id, { queue, place });
      const sent: Envelope = { ...job, sentFrom: queue };
      const found = await at(result.sequence);
      assert.deepEqual([found?.state, found?.envelope], ["queued", sent]);
      assert.equal(await at(result.sequence - 1), undefined, "another job's place");
      assert.equal(await at(result.sequence + 1), undefined, "nobody's place");
      const worker = await scene.worker();
      const held = [await worker.delivery(0), await worker.delivery(1)];
      assert.equal((await at(result.sequence))?.state, "queued", "it runs");
      for (const delivery of held) await worker.ack(delivery);
      await scene.harness.eventually(
        "the settled job to be gone",
        async () => (await at(result.sequence)) === undefined,
      );
    },
  ),

  conformanceCase(
    "looking: only what was stored before a time is looked for in queues, by the broker's clock",
    async (scene) => {
      const jobs = scene.jobs(3);
      await scene.enqueueOk(...jobs);
      for (const { id } of jobs) {
        const look = { queue: scene.queue };
        const storedAt = (await scene.broker.findWaiting(id, look))?.storedAt;
        assert.ok(storedAt !== undefined);
        const [at, after] = await Promise.all(
          [storedAt, storedAt + 1].map((storedBefore) =>
            scene.broker.findWaiting(id, { ...look, storedBefore }),
          ),
        );
        assert.equal(at, undefined, "stored at that time, not before");
        assert.equal(after?.envelope.id, id);
      }
    },
  ),

  conformanceCase(
    "looking: behind others of its id, which came later and wait, the one that was enqueued first is found",
    async (scene) => {
      const job = scene.job();
      const soon = scene.harness.now() + 60_000;
      const waits = { ...job, generation: 1, notBefore: soon };
      await scene.enqueueOk(job);
      const worker = await scene.worker();
      await worker.settle(
        await worker.delivery(0),
        { do: "requeue", envelope: { ...waits, firstStoredAt: soon + 1 } },
        { do: "block", envelope: { ...job, generation: 2, firstStoredAt: soon + 1 }, gate: "g" },
        { do: "requeue", envelope: { ...waits, generation: 3, firstStoredAt: soon } },
      );
      const find = (enqueuedBefore: number): Promise<number | undefined> =>
        scene.broker
          .findWaiting(job.id, { queue: scene.queue, enqueuedBefore })
          .then((found) => found?.envelope.generation);
      assert.equal(await find(soon + 2), 1);
      assert.equal(await find(soon + 1), 3);
      assert.equal(await find(soon), 0);
      for (const wanted of [0, 1, 2, 3]) {
        const where = (found: WaitingJob): boolean => found.envelope.generation === wanted;
        const found = await scene.broker.findWaiting(job.id, { queue: scene.queue, where });
        assert.equal(found?.envelope.generation, wanted, "wherever the others of its id lie");
      }
      assert.equal(
        await scene.broker.findWaiting(job.id, { queue: scene.queue, where: () => false }),
        undefined,
      );
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
    "looking: what all nodes run is gathered, of one queue or of all, the longest running first",
    async (scene) => {
      const [one, two] = [await scene.connect(), await scene.connect()];
      const now = scene.harness.now();
      const job = (n: number, queue: string): RunningJob => ({
        id: `${scene.queue}-${n}`,
        queue,
        name: "conformance.job",
        node: "node-b",
        attempt: 1,
        startedAt: now - n,
        createdAt: now - 10_000,
      });
      const other = await scene.anotherQueue();
      const many = Array.from({ length: 1_200 }, (_, n) => job(n, scene.queue));
      const answering = [
        await one.answerListRunning(() => many, "node-a"),
        await two.answerListRunning(() => [job(2_000, scene.queue), job(3_000, other)], "node-b"),
        await two.answerListRunning(() => [], "node-c"),
      ];
      scene.later(() => Promise.all(answering.map((answer) => answer.stop())));
      const listed = async (queue?: string): Promise<readonly RunningJob[]> =>
        (
          await scene.broker.listRunning({
            timeoutMs: 1_000,
            ...(queue === undefined ? {} : { queue }),
          })
        ).filter(({ id }) => id.startsWith(`${scene.queue}-`));
      // In a cluster the word that somebody listens takes a moment from server to server.
      await scene.harness.eventually(
        "the answers of all",
        async () => (await listed()).length === 1_202,
      );
      const mine = await listed(scene.queue);
      assert.equal(mine.length, 1_201);
      assert.equal(mine[0]?.id, `${scene.queue}-2000`);
      assert.deepEqual(
        (await listed(other)).map(({ id }) => id),
        [`${scene.queue}-3000`],
      );
      await answering[1]?.stop();
      await scene.harness.eventually(
        "no answer of the one that stopped",
        async () => (await listed(other)).length === 0,
      );
    },
  ),

  sharedCase(
    "looking: of nodes that are awaited it is said which have not answered, once they had their time",
    async (scene) => {
      const other = await scene.connect();
      const answering = await other.answerListRunning(() => [], `${scene.queue}-idle`);
      scene.later(() => answering.stop());
      const silentOf = async (names: readonly string[]): Promise<readonly string[]> => {
        const silent: string[] = [];
        const awaited = {
          ...{ names, withinMs: 1_000 },
          onSilent: (found: readonly string[]) => void silent.push(...found),
        };
        await scene.broker.listRunning({ timeoutMs: 0, awaited });
        return silent;
      };
      // In a cluster the word that somebody listens takes a moment from server to server.
      await scene.harness.eventually(
        "the answer of one that runs nothing",
        async () => (await silentOf([`${scene.queue}-idle`])).length === 0,
      );
      const both = [`${scene.queue}-gone`, `${scene.queue}-idle`];
      assert.deepEqual(await silentOf(both), [`${scene.queue}-gone`]);
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
        createdAt: 5,
      };
      const silent = await other.answerWhoRuns(() => undefined);
      const answering = await other.answerWhoRuns((id) =>
        id === running.id ? running : undefined,
      );
      scene.later(() => Promise.all([silent.stop(), answering.stop()]));
      const found = await scene.harness.eventually("the node that runs it", () =>
        scene.broker.whoRuns(running.id, { timeoutMs: 2_000 }),
      );
      assert.deepEqual(found, running);
      assert.equal(await scene.broker.whoRuns("unknown-to-all", { timeoutMs: 100 }), undefined);
      await answering.stop();
      await answering.stop();
      await scene.harness.eventually(
        "silence",
        async () => (await scene.broker.whoRuns(running.id, { timeoutMs: 100 })) === undefined,
      );
    },
  ),

  sharedCase(
    "looking: of jobs with one id only the holder of the one that is meant answers",
    async (scene) => {
      const other = await scene.connect();
      const holding = async (queue: string, createdAt: number) => {
        const job = { id: `${scene.queue}-one`, queue, createdAt, name: "conformance.job" };
        const running = { ...job, node: queue, attempt: 1, startedAt: scene.harness.now() };
        const answering = await other.answerWhoRuns((id, meant) =>
          id === running.id && isMeantRun(running, meant) ? running : undefined,
        );
        scene.later(() => answering.stop());
        return running;
      };
      const mine = await holding(scene.queue, 5);
      const theirs = await holding(`${scene.queue}-b`, 6);
      const asked = (meant: MeantRun) =>
        scene.broker.whoRuns(mine.id, { timeoutMs: 500, ...meant });
      await scene.harness.eventually("both answer", async () => (await asked(theirs)) ?? undefined);
      for (const { queue, createdAt } of [mine, theirs]) {
        assert.equal((await asked({ queue }))?.queue, queue);
        assert.equal((await asked({ createdAt }))?.queue, queue);
      }
      assert.equal(await asked({ ...mine, createdAt: 6 }), undefined);
      assert.equal(await asked({ queue: `${scene.queue}-c` }), undefined);
    },
  ),
];
