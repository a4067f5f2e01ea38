import assert from "node:assert/strict";
import type { HistoryRecord, PlacedRecord, StretchQuery } from "@millrace/core";
import { type ConformanceCase, conformanceCase, rejectsWith, type Scene } from "../scene.ts";

/** Gives a function that writes records over one delivery, which stays unsettled. */
async function writer(
  scene: Scene,
): Promise<(...records: readonly HistoryRecord[]) => Promise<void>> {
  await scene.enqueueOk(scene.job());
  const delivery = await (await scene.worker()).delivery(0);
  return (...records) =>
    scene.broker.settle(
      delivery,
      records.map((record) => ({ do: "record", record }) as const),
    );
}

export const historyCases: readonly ConformanceCase[] = [
  conformanceCase(
    "history: a job's records are read oldest first, whole, and nobody else's",
    async (scene) => {
      const write = await writer(scene);
      const [job, other] = [scene.job(), scene.job()];
      const now = scene.harness.now();
      const requeued = scene.record(job, {
        state: "requeued",
        outcome: "failed",
        error: { type: "Error", message: "it broke", stack: "at x" },
        startedAt: now - 10,
        durationMs: 10,
        notBefore: now + 500,
      });
      const done = scene.record(job, {
        generation: 1,
        attempts: 2,
        output: { total: 12.5, list: [1, null, "ä"] },
      });
      await write(requeued, scene.record(other), done);
      assert.deepEqual(await scene.broker.history.read({ id: job.id, queue: scene.queue }), [
        requeued,
        done,
      ]);
      assert.deepEqual(await scene.broker.history.read({ id: job.id }), [requeued, done]);
      assert.deepEqual(
        await scene.broker.history.read({ id: job.id, queue: await scene.anotherQueue() }),
        [],
      );
      assert.deepEqual(await scene.broker.history.read({ id: "unknown-to-all" }), []);
    },
  ),

  conformanceCase(
    "history: an output that is too large is left out, and the record says so",
    async (scene) => {
      const write = await writer(scene);
      const job = scene.job();
      const { output: _output, ...rest } = scene.record(job);
      await write({ ...rest, output: "x".repeat(1_100_000) });
      assert.deepEqual(await scene.broker.history.read({ id: job.id, queue: scene.queue }), [
        { ...rest, outputDropped: "too-large" },
      ]);
    },
  ),

  conformanceCase(
    "history: of the ends of one job the first is stored, and who records another is told",
    async (scene) => {
      await scene.ensure({ dedupeWindowMs: 1_000 });
      const write = await writer(scene);
      const job = scene.job();
      // Later than the queue was made by more than the window: no job is older than its queue.
      const enqueue = { createdAt: job.createdAt, firstStoredAt: scene.harness.now() + 1_000 };
      const first = scene.record(job, enqueue);
      const requeued = { state: "requeued", outcome: "failed" } as const;
      const dead = { state: "dead", outcome: "failed", reason: "fatal", generation: 1 } as const;
      await write(scene.record(job, { createdAt: job.createdAt, ...requeued }));
      assert.equal(await scene.broker.history.endOf({ ...job, ...enqueue }), undefined);
      await write(first);
      await write(first);
      await rejectsWith("already-ended", write(scene.record(job, { ...enqueue, ...dead })));
      await rejectsWith("already-ended", write({ ...first, node: "another" }));
      // What came within the dedupe window is a duplicate, whatever its time of creation.
      const soon = { createdAt: 5, firstStoredAt: enqueue.firstStoredAt + 999 };
      await rejectsWith("already-ended", write(scene.record(job, soon)));
      assert.deepEqual((await scene.broker.history.endOf({ ...job, ...soon }))?.record, first);
      // And so is what ended first, where the other came first.
      const before = { createdAt: 7, firstStoredAt: enqueue.firstStoredAt - 999 };
      await rejectsWith("already-ended", write(scene.record(job, before)));
      const last = await scene.broker.history.last(job, "requeued");
      assert.equal(last?.record.state, "requeued");
      const later = [
        { ...enqueue, life: 1 },
        { createdAt: 5, firstStoredAt: enqueue.firstStoredAt + 2_000 },
        // What was stored before the job came was another's, although its time of creation is the
        // same.
        { createdAt: 5, firstStoredAt: enqueue.firstStoredAt + 3_600_000 },
      ].map((more) => scene.record(job, more));
      for (const record of later) await write(record);
      const stored = await scene.broker.history.stored({ id: job.id, queue: scene.queue });
      assert.deepEqual(
        stored.map(({ record }) => record).filter(({ state }) => state !== "requeued"),
        [first, ...later],
      );
    },
  ),

  conformanceCase(
    "history: an end keeps another from being recorded although a later job of the id has ended meanwhile",
    async (scene) => {
      await scene.ensure({ dedupeWindowMs: 1_000 });
      const write = await writer(scene);
      const job = scene.job();
      const now = scene.harness.now();
      const first = scene.record(job, { createdAt: 5, firstStoredAt: now });
      const second = scene.record(job, { createdAt: 5, firstStoredAt: now + 2_000 });
      await write(first);
      await write(second);
      const again = { ...first, node: "another" };
      await rejectsWith("already-ended", write(again));
      assert.deepEqual((await scene.broker.history.endOf(again))?.record, first);
      assert.deepEqual((await scene.broker.history.endOf(second))?.record, second);
    },
  ),

  conformanceCase(
    "history: a queue that was removed and made anew remembers no ids: what ended in the first keeps no end from being recorded",
    async (scene) => {
      const write = await writer(scene);
      const queue = await scene.anotherQueue();
      const job = { ...scene.job(), queue };
      const { harness } = scene;
      const passed = (time: number) =>
        harness.eventually("time passes", () => harness.now() > time + 10 && harness.now());
      const now = await passed(harness.now());
      const [first, second, third] = [0, 1, 2].map((count) =>
        scene.record(job, { createdAt: count, firstStoredAt: now + count }),
      ) as [HistoryRecord, HistoryRecord, HistoryRecord];
      await write(first);
      await rejectsWith("already-ended", write(second));
      await scene.broker.queues.remove(queue);
      await write(second);
      await passed(now);
      await scene.broker.queues.ensure(queue);
      await write(third);
      const stored = await scene.broker.history.stored({ id: job.id, queue });
      assert.deepEqual(
        stored.map(({ record }) => record),
        [first, second, third],
      );
    },
  ),

  conformanceCase(
    "history: a record that was made up for later stands before those that overtook it",
    async (scene) => {
      const write = await writer(scene);
      const job = scene.job();
      const state = { state: "requeued", outcome: "blocked" } as const;
      const [first, second, end] = [
        scene.record(job, { ...state, sequence: 4 }),
        scene.record(job, { ...state, sequence: 7, generation: 1 }),
        scene.record(job, { sequence: 9, generation: 2 }),
      ];
      // The id is used again: generation 0, a later place.
      const again = scene.record(job, { sequence: 12 });
      await write(second, end, first);
      const { history } = scene.broker;
      assert.deepEqual(await history.read({ id: job.id }), [first, second, end]);
      assert.deepEqual(await history.recent({ queue: scene.queue, limit: 1 }), [end]);
      await write(again);
      assert.deepEqual(await history.read({ id: job.id }), [first, second, end, again]);
      assert.deepEqual(await history.recent({ queue: scene.queue, limit: 1 }), [again]);
    },
  ),

  conformanceCase("history: a record that was written twice is read once", async (scene) => {
    const write = await writer(scene);
    const record = scene.record(scene.job());
    await write(record);
    await write(record);
    assert.deepEqual(await scene.broker.history.read({ id: record.id }), [record]);
  }),

  conformanceCase(
    "history: the most recently settled jobs, each by its latest record, newest first",
    async (scene) => {
      const write = await writer(scene);
      const [a, b, c] = [scene.job(), scene.job(), scene.job()];
      await write(
        scene.record(a, { state: "requeued", outcome: "failed" }),
        scene.record(b),
        scene.record(c),
        scene.record(a, { generation: 1 }),
      );
      const recent = await scene.broker.history.recent({ queue: scene.queue, limit: 10 });
      assert.deepEqual(
        recent.map(({ id, generation }) => [id, generation]),
        [
          [a.id, 1],
          [c.id, 0],
          [b.id, 0],
        ],
      );
      const two = await scene.broker.history.recent({ queue: scene.queue, limit: 2 });
      assert.deepEqual(
        two.map(({ id }) => id),
        [a.id, c.id],
      );
      assert.deepEqual(
        await scene.broker.history.recent({ queue: await scene.anotherQueue(), limit: 10 }),
        [],
      );
    },
  ),

  conformanceCase(
    "history: its tail is what was stored within some time of the newest record",
    async (scene) => {
      const write = await writer(scene);
      const records = scene.jobs(4).map((job) => scene.record(job));
      const [old, ...recent] = records as [HistoryRecord, ...HistoryRecord[]];
      await write(old);
      await scene.passes(2_500);
      await write(...recent.map((record) => ({ ...record, at: scene.harness.now() })));
      // Other cases write into the same history.
      const tail = async (limit: number, withinMs: number): Promise<readonly string[]> =>
        (await scene.broker.history.tail({ withinMs, limit }))
          .filter(({ record }) => record.queue === scene.queue)
          .map(({ record }) => record.id);
      const ids = recent.map(({ id }) => id);
      assert.deepEqual(await tail(10_000, 60_000), [old.id, ...ids]);
      assert.deepEqual(await tail(10_000, 2_400), ids);
      assert.deepEqual(await tail(0, 60_000), []);
      assert.ok((await scene.broker.history.tail({ withinMs: 60_000, limit: 2 })).length <= 2);
    },
  ),

  conformanceCase(
    "history: a stretch is what is stored behind a position, of a queue and of a kind, in order",
    async (scene) => {
      const { history } = scene.broker;
      const stretch = history.stretch.bind(history);
      const write = await writer(scene);
      const now = await stretch({ after: Number.MAX_SAFE_INTEGER });
      assert.deepEqual(now.records, []);
      const jobs = scene.jobs(3);
      const requeued = { state: "requeued", outcome: "failed" } as const;
      const records = [
        ...jobs.map((job) => scene.record(job, requeued)),
        ...jobs.map((job) => scene.record(job, { generation: 1 })),
      ];
      await write(...records);
      // Other cases write into the same history, and it may be read in parts.
      const all = async (query: Partial<StretchQuery>): Promise<readonly PlacedRecord[]> => {
        const found: PlacedRecord[] = [];
        for (let after = query.after ?? now.newest; ;) {
          const part = await stretch({ queue: scene.queue, ...query, after });
          found.push(...part.records);
          assert.ok(part.until >= after, "the position only grows");
          after = part.until;
          if (after >= part.newest) return found;
        }
      };
      const found = await all({});
      assert.deepEqual(
        found.map(({ record }) => record),
        records,
      );
      const places = found.map(({ position }) => position);
      assert.deepEqual(
        places,
        places.toSorted((a, b) => a - b),
      );
      const named = (some: readonly PlacedRecord[]): readonly HistoryRecord[] =>
        some.map(({ record }) => record);
      assert.deepEqual(named(await all({ kind: "requeued" })), records.slice(0, 3));
      assert.deepEqual(named(await all({ kind: "ended" })), records.slice(3));
      assert.deepEqual(named(await all({ after: places[1] ?? 0 })), records.slice(2));
      assert.deepEqual(await all({ queue: await scene.anotherQueue() }), []);
      const { records: two } = await stretch({ queue: scene.queue, after: now.newest, limit: 2 });
      assert.deepEqual(named(two), records.slice(0, 2));
      assert.deepEqual(named(await all({ limit: 2 })), records);
    },
  ),

  conformanceCase(
    "history: a follower gets the job's records from then on, in order, until it stops",
    async (scene) => {
      const write = await writer(scene);
      const [job, other] = [scene.job(), scene.job()];
      const seen: number[] = [];
      const seenOfOther: string[] = [];
      await write(scene.record(job));
      const follower = await scene.broker.history.follow(
        { id: job.id, queue: scene.queue },
        ({ generation }) => seen.push(generation),
      );
      scene.later(() => follower.stop());
      const marker = await scene.broker.history.follow({ id: other.id }, ({ id }) =>
        seenOfOther.push(id),
      );
      scene.later(() => marker.stop());
      await write(
        scene.record(job, { generation: 1 }),
        scene.record(other),
        scene.record(job, { generation: 2 }),
      );
      await scene.harness.eventually("two records", () => seen.length >= 2);
      await follower.stop();
      await follower.stop();
      await write(scene.record(job, { generation: 3 }), scene.record(other, { generation: 1 }));
      await scene.harness.eventually(
        "the other job's second record",
        () => seenOfOther.length >= 2,
      );
      assert.deepEqual(
        [seen, seenOfOther],
        [
          [1, 2],
          [other.id, other.id],
        ],
      );
    },
  ),

  conformanceCase(
    "history: a watch is told of every job's records from now on, or of one queue's",
    async (scene) => {
      const write = await writer(scene);
      const [job, other] = [scene.job(), scene.job()];
      const elsewhere = scene.record(scene.job({ queue: `${scene.queue}-2` }));
      await write(scene.record(job));
      const seen: string[] = [];
      const seenAnywhere: string[] = [];
      const watch = await scene.broker.history.watch({ queue: scene.queue }, ({ id }) =>
        seen.push(id),
      );
      scene.later(() => watch.stop());
      const everywhere = await scene.broker.history.watch({}, ({ queue, id }) => {
        if (queue.startsWith(scene.queue)) seenAnywhere.push(id);
      });
      scene.later(() => everywhere.stop());
      await write(scene.record(other), elsewhere, scene.record(job, { generation: 1 }));
      await scene.harness.eventually("three records", () => seenAnywhere.length >= 3);
      await scene.harness.eventually("two records", () => seen.length >= 2);
      await watch.stop();
      await write(scene.record(other, { generation: 1 }));
      await scene.harness.eventually("a fourth", () => seenAnywhere.length >= 4);
      assert.deepEqual(
        [seen, seenAnywhere],
        [
          [other.id, job.id],
          [other.id, elsewhere.id, job.id, other.id],
        ],
      );
    },
  ),
];
