import assert from "node:assert/strict";
import { type ConformanceCase, conformanceCase, envelopeOf } from "../scene.ts";

export const enqueueCases: readonly ConformanceCase[] = [
  conformanceCase(
    "enqueue: confirms each job, in the order given, and delivers in that order",
    async (scene) => {
      const jobs = scene.jobs(50);
      const results = await scene.broker.enqueue(jobs);
      assert.deepEqual(
        results.map(({ id }) => id),
        jobs.map(({ id }) => id),
      );
      const sequences = results.map((result) => {
        assert.ok(result.ok);
        assert.deepEqual([scene.isTakenAsNew(result), result.queue], [true, scene.queue]);
        return result.sequence;
      });
      // What is sent again lies behind what was stored meanwhile.
      if (scene.harness.leadersDie !== true)
        assert.deepEqual(
          sequences,
          sequences.toSorted((a, b) => a - b),
        );
      assert.equal(new Set(sequences).size, 50);
      const worker = await scene.worker({ slots: 50 });
      await scene.comeInOrder(
        () => worker.messageIds,
        jobs.map(({ id }) => id),
      );
    },
  ),

  conformanceCase(
    "enqueue: a job of the runtime's own is stored beside another that has its id, and once",
    async (scene) => {
      const job = scene.job();
      await scene.enqueueOk(job);
      const own = { ...job, payload: "own" };
      for (const duplicate of [false, true]) {
        const [result] = await scene.broker.enqueue([own], { own: true });
        assert.ok(result?.ok);
        if (scene.harness.leadersDie !== true) assert.equal(result.duplicate, duplicate);
      }
      const both = await scene.broker.listWaiting(scene.queue);
      assert.deepEqual(
        both.map(({ envelope }) => envelope.sentFrom),
        [scene.queue, undefined],
      );
    },
  ),

  conformanceCase(
    "enqueue: told to stop before it began, it stores nothing and says so of each job",
    async (scene) => {
      const jobs = scene.jobs(3);
      const results = await scene.broker.enqueue(jobs, { signal: AbortSignal.abort() });
      assert.deepEqual(
        results.map((result) => [result.id, !result.ok && result.error.code]),
        jobs.map(({ id }) => [id, "publish-timeout"]),
      );
      assert.equal((await scene.broker.queues.snapshot(scene.queue)).queued, 0);
      const [again] = await scene.broker.enqueue(jobs, { signal: new AbortController().signal });
      assert.ok(again?.ok);
    },
  ),

  conformanceCase("enqueue: takes an empty list", async (scene) => {
    assert.deepEqual(await scene.broker.enqueue([]), []);
  }),

  conformanceCase(
    "enqueue: an id is stored once, within a call and over calls, and the second is told so",
    async (scene) => {
      const job = scene.job();
      const [first, second] = await scene.broker.enqueue([job, { ...job, payload: "another" }]);
      const [third] = await scene.broker.enqueue([job]);
      assert.ok(first?.ok && second?.ok && third?.ok);
      assert.deepEqual(
        [scene.isTakenAsNew(first), second.duplicate, third.duplicate],
        [true, true, true],
      );
      assert.deepEqual([second.sequence, third.sequence], [first.sequence, first.sequence]);
      assert.equal((await scene.broker.queues.snapshot(scene.queue)).queued, 1);
    },
  ),

  conformanceCase("enqueue: one id in two queues is two jobs", async (scene) => {
    const job = scene.job();
    const other = { ...job, queue: await scene.anotherQueue() };
    const results = await scene.broker.enqueue([job, other]);
    assert.deepEqual(
      results.map((result) => scene.isTakenAsNew(result)),
      [true, true],
    );
  }),

  conformanceCase(
    "enqueue: a queue that does not exist is refused, and the other jobs of the call are not",
    async (scene) => {
      const [a, b] = scene.jobs(2);
      assert.ok(a && b);
      const lost = { ...scene.job(), queue: scene.harness.queueName() };
      const results = await scene.broker.enqueue([a, lost, b]);
      assert.deepEqual(
        results.map((result) => (result.ok ? "ok" : result.error.code)),
        ["ok", "queue-not-found", "ok"],
      );
      assert.deepEqual(
        results.map(({ id, queue }) => [id, queue]),
        [a, lost, b].map(({ id, queue }) => [id, queue]),
      );
    },
  ),

  conformanceCase(
    "enqueue: a queue at its number of jobs refuses more, drops nothing, and takes again when there is room",
    async (scene) => {
      await scene.ensure({ maxJobs: 3 });
      const jobs = scene.jobs(5);
      const results = await scene.broker.enqueue(jobs);
      assert.deepEqual(
        results.map((result) => (result.ok ? "ok" : result.error.code)),
        ["ok", "ok", "ok", "queue-full", "queue-full"],
      );
      assert.equal((await scene.broker.queues.snapshot(scene.queue)).queued, 3);
      const worker = await scene.worker({ slots: 3 });
      await worker.delivery(2);
      const stillFull = await scene.broker.enqueue([scene.job()]);
      assert.deepEqual(
        stillFull.map((result) => (result.ok ? "ok" : result.error.code)),
        ["queue-full"],
      );
      await worker.ack(await worker.delivery(0));
      await scene.harness.eventually("room in the queue", async () => {
        const [result] = await scene.broker.enqueue([jobs[3] ?? scene.job()]);
        return result?.ok;
      });
      await scene.comeInOrder(
        () => worker.messageIds,
        jobs.slice(0, 4).map(({ id }) => id),
      );
    },
  ),

  conformanceCase(
    "enqueue: a queue at its number of bytes refuses more and drops nothing",
    async (scene) => {
      await scene.ensure({ maxBytes: 20_000 });
      const results = await scene.broker.enqueue(
        Array.from({ length: 10 }, () => scene.job({ payload: "x".repeat(4_000) })),
      );
      const stored = results.filter((result) => result.ok);
      assert.ok(
        stored.length >= 1 && stored.length <= 5,
        `${stored.length} jobs of 4,000 bytes went into 20,000`,
      );
      for (const result of results) if (!result.ok) assert.equal(result.error.code, "queue-full");
      assert.equal((await scene.broker.queues.snapshot(scene.queue)).queued, stored.length);
    },
  ),

  conformanceCase(
    "enqueue: a job over the limit is refused, one just under it arrives whole, the rest of the call goes through",
    async (scene) => {
      const { maxMessageBytes } = scene.broker;
      const fits = scene.job({ payload: "f".repeat(maxMessageBytes - 1_024) });
      const results = await scene.broker.enqueue([
        scene.job({ payload: "x".repeat(maxMessageBytes) }),
        fits,
        scene.job(),
      ]);
      assert.deepEqual(
        results.map((result) => (result.ok ? "ok" : result.error.code)),
        ["payload-too-large", "ok", "ok"],
      );
      const worker = await scene.worker();
      assert.equal(envelopeOf((await worker.delivery(0)).message).payload, fits.payload);
    },
  ),

  conformanceCase(
    "enqueue: a payload that is no plain data is refused, and the rest of the call goes through",
    async (scene) => {
      const results = await scene.broker.enqueue([
        scene.job({ payload: { run: () => 1 } }),
        scene.job(),
      ]);
      assert.deepEqual(
        results.map((result) => (result.ok ? "ok" : result.error.code)),
        ["unserializable-payload", "ok"],
      );
    },
  ),

  conformanceCase(
    "enqueue: every field, the lane and the headers arrive as they were sent",
    async (scene) => {
      const now = scene.harness.now();
      const job = scene.job({
        lane: "high",
        notBefore: now + 3_600_000,
        expiresAt: now + 7_200_000,
        maxAttempts: 4,
        timeoutMs: 1_500,
        uniqueKey: "customer 7",
        concurrencyKey: "tenant/ä",
        tags: ["a", "b"],
        headers: {
          traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          "x-tenant": "seven",
        },
        payload: {
          text: "grüße 🌊",
          list: [1, -2, 2.5, null, true],
          bytes: new Uint8Array([0, 255, 7]),
          deep: { er: {} },
        },
      });
      await scene.enqueueOk(job);
      const worker = await scene.worker();
      const delivery = await worker.delivery(0);
      const { message } = delivery;
      // Where it came in is the runtime's to say.
      assert.deepEqual(envelopeOf(message), { ...job, sentFrom: scene.queue });
      assert.deepEqual(
        [message.queue, message.lane, message.origin],
        [scene.queue, "high", "producer"],
      );
      scene.deliveredTimes(delivery, 1);
      assert.ok(
        message.sequence > 0 && Math.abs(message.storedAt - now) < 60_000,
        `stored at ${message.storedAt}, now ${now}`,
      );
    },
  ),

  conformanceCase("enqueue: all lanes are served", async (scene) => {
    const jobs = [scene.job({ lane: "low" }), scene.job(), scene.job({ lane: "high" })];
    await scene.enqueueOk(...jobs);
    const worker = await scene.worker();
    await worker.delivery(2);
    assert.deepEqual(worker.messageIds.toSorted(), jobs.map(({ id }) => id).toSorted());
    assert.deepEqual(
      new Set(worker.deliveries.map(({ message }) => message.lane)),
      new Set(["low", undefined, "high"]),
    );
  }),
];
