import assert from "node:assert/strict";
import type { Batch, JobRef, StoredBatch } from "@millrace/core";
import { readWhileWritten } from "../read-while-written.ts";
import { type ConformanceCase, conformanceCase, type Scene } from "../scene.ts";

async function opened(scene: Scene, members: readonly string[]): Promise<Batch> {
  const batch: Batch = {
    id: `batch-${scene.queue}`,
    createdAt: scene.harness.now(),
    callback: scene.job({ payload: { report: [1, "zwei", null] } }),
  };
  await scene.broker.batches.open(batch);
  await scene.broker.batches.join(batch.id, refs(scene, ...members));
  return batch;
}

function bare(stored: StoredBatch | undefined): Batch | undefined {
  if (stored === undefined) return undefined;
  const { revision: _, ...batch } = stored;
  return batch;
}

const ref = ({ queue }: Scene, id: string): JobRef => ({ id, queue });
const refs = (scene: Scene, ...ids: readonly string[]): readonly JobRef[] =>
  ids.map((id) => ref(scene, id));

export const batchCases: readonly ConformanceCase[] = [
  conformanceCase(
    "batches: the last job that leaves is told so, and what is repeated is the same again",
    async (scene) => {
      const { batches } = scene.broker;
      const { id } = await opened(scene, ["a", "b", "c"]);
      assert.equal(await batches.left(id), 3);
      assert.equal(await batches.leave(id, ref(scene, "b"), "dead"), true);
      assert.equal(await batches.leave(id, ref(scene, "b"), "dead"), true);
      assert.equal(await batches.leave(id, ref(scene, "a"), "succeeded"), true);
      assert.equal(await batches.left(id), 1);
      assert.equal(await batches.leave(id, ref(scene, "c"), "cancelled"), false);
      assert.equal(await batches.leave(id, ref(scene, "c"), "cancelled"), false);
      const ended = (await batches.ended(id)).map((member) => `${member.id} ${member.end}`);
      assert.deepEqual(ended.toSorted(), ["a succeeded", "b dead", "c cancelled"]);
    },
  ),

  conformanceCase(
    "batches: a job's batch is found by the job alone, before and after it has left",
    async (scene) => {
      const { batches } = scene.broker;
      assert.equal(await batches.batchOf(ref(scene, "a")), undefined);
      const { id } = await opened(scene, ["a", "b"]);
      assert.equal(await batches.batchOf(ref(scene, "a")), id);
      await batches.leave(id, ref(scene, "a"), "dead");
      assert.equal(await batches.batchOf(ref(scene, "a")), id);
      assert.equal(await batches.batchOf(ref(scene, "c")), undefined);
      assert.equal(await batches.batchOf({ id: "b", queue: "elsewhere" }), undefined);
      await batches.remove(id);
      assert.equal(await batches.batchOf(ref(scene, "b")), undefined);
    },
  ),

  conformanceCase(
    "batches: jobs that leave at the same moment: at least one is told it was the last",
    async (scene) => {
      const { batches } = scene.broker;
      const members = Array.from({ length: 40 }, (_, index) => `m${index}`);
      const { id } = await opened(scene, members);
      const answers = await Promise.all(
        members.map((member) => batches.leave(id, ref(scene, member), "succeeded")),
      );
      assert.ok(answers.includes(false));
      assert.equal(await batches.left(id), 0);
      assert.equal((await batches.ended(id)).length, members.length);
      assert.equal((await batches.ended(id, { most: 2 })).length, 3);
    },
  ),

  conformanceCase(
    "batches: jobs that leave again while the ended ones are read are all told of, each once",
    async (scene) => {
      const { batches } = scene.broker;
      const members = Array.from({ length: 230 }, (_, index) => `m${index}`);
      const { id } = await opened(scene, members);
      await Promise.all(
        members.map((member) => batches.leave(id, ref(scene, member), "succeeded")),
      );
      await readWhileWritten(
        2,
        (n) => batches.leave(id, ref(scene, members[n % members.length] ?? ""), "succeeded"),
        async () => {
          const ended = (await batches.ended(id)).map((member) => member.id);
          assert.deepEqual(ended.toSorted(), members.toSorted());
        },
      );
    },
  ),

  conformanceCase(
    "batches: joining again brings nothing back that has ended, and opening again forgets nothing",
    async (scene) => {
      const { batches } = scene.broker;
      const batch = await opened(scene, ["a", "b"]);
      await batches.leave(batch.id, ref(scene, "a"), "succeeded");
      await batches.open(batch);
      await batches.join(batch.id, refs(scene, "a", "b", "c"));
      assert.equal(await batches.left(batch.id), 2);
      assert.deepEqual(bare(await batches.find(batch.id)), batch);
    },
  ),

  conformanceCase(
    "batches: one is written where it still is as it was read, and not where it is gone",
    async (scene) => {
      const { batches } = scene.broker;
      const batch = await opened(scene, ["a"]);
      const first = (await batches.find(batch.id))?.revision ?? 0;
      const later = { ...batch, createdAt: batch.createdAt + 1 };
      assert.equal(await batches.replace(later, first), true);
      assert.equal(await batches.replace(batch, first), false);
      const second = await batches.find(batch.id);
      assert.deepEqual(bare(second), later);
      assert.notEqual(second?.revision, first);
      await batches.open(batch);
      assert.deepEqual(await batches.find(batch.id), second);
      assert.equal(await batches.left(batch.id), 1);
      await batches.remove(batch.id);
      assert.equal(await batches.replace(batch, second?.revision ?? 0), false);
      assert.equal(await batches.find(batch.id), undefined);
    },
  ),

  conformanceCase("batches: one that was removed, or never was, is empty", async (scene) => {
    const { batches } = scene.broker;
    const { id } = await opened(scene, ["a", "b"]);
    await batches.leave(id, ref(scene, "a"), "succeeded");
    await batches.remove(id);
    await batches.remove(id);
    for (const gone of [id, `${id}-never`]) {
      assert.equal(await batches.find(gone), undefined);
      assert.equal(await batches.left(gone), 0);
      assert.deepEqual(await batches.ended(gone), []);
    }
  }),

  conformanceCase(
    "batches: the rest of one that is there is all of it, and stays",
    async (scene) => {
      const { batches } = scene.broker;
      const { id } = await opened(scene, ["a", "b"]);
      await batches.leave(id, ref(scene, "a"), "succeeded");
      await batches.removeRest(id);
      assert.equal(await batches.left(id), 1);
      assert.deepEqual(await batches.ended(id), [{ id: "a", end: "succeeded" }]);
      await batches.remove(id);
      await batches.removeRest(id);
      assert.deepEqual([await batches.find(id), await batches.ended(id)], [undefined, []]);
    },
  ),

  conformanceCase(
    "batches: one is removed as it was read, and stays where somebody has written it since",
    async (scene) => {
      const { batches } = scene.broker;
      const batch = await opened(scene, ["a", "b"]);
      await batches.leave(batch.id, ref(scene, "b"), "succeeded");
      const first = (await batches.find(batch.id))?.revision ?? 0;
      assert.equal(await batches.replace(batch, first), true);
      await batches.remove(batch.id, first);
      const second = await batches.find(batch.id);
      assert.deepEqual(bare(second), batch);
      assert.equal(await batches.left(batch.id), 1);
      assert.equal((await batches.ended(batch.id)).length, 1);
      await batches.remove(batch.id, second?.revision ?? 0);
      await batches.remove(batch.id, second?.revision ?? 0);
      assert.equal(await batches.find(batch.id), undefined);
      assert.equal(await batches.left(batch.id), 0);
      assert.deepEqual(await batches.ended(batch.id), []);
    },
  ),

  conformanceCase("batches: two of them know nothing of each other", async (scene) => {
    const { batches } = scene.broker;
    const one = await opened(scene, ["a"]);
    const other = { ...one, id: `${one.id}-2` };
    await batches.open(other);
    await batches.join(other.id, refs(scene, "a", "b"));
    assert.equal(await batches.leave(one.id, ref(scene, "a"), "expired"), false);
    assert.equal(await batches.left(other.id), 2);
  }),

  conformanceCase(
    "batches: a job that did not join changes nothing, whatever it is called",
    async (scene) => {
      const { batches } = scene.broker;
      const { id } = await opened(scene, ["a", "b"]);
      const elsewhere = { id: "a", queue: await scene.anotherQueue() };
      for (const stranger of [ref(scene, "c"), elsewhere])
        assert.equal(await batches.leave(id, stranger, "succeeded"), undefined);
      assert.equal(await batches.leave(`${id}-never`, ref(scene, "a"), "succeeded"), undefined);
      assert.deepEqual([await batches.left(id), await batches.ended(id)], [2, []]);
      await batches.leave(id, ref(scene, "a"), "dead");
      // After it has left as well.
      assert.equal(await batches.leave(id, elsewhere, "succeeded"), undefined);
      assert.deepEqual(await batches.ended(id), [{ id: "a", end: "dead" }]);
      assert.deepEqual(await batches.ended(`${id}-never`), []);
    },
  ),

  conformanceCase("batches: two jobs of one id in two queues are two", async (scene) => {
    const { batches } = scene.broker;
    const { id } = await opened(scene, []);
    const here = ref(scene, "a");
    const there = { id: "a", queue: await scene.anotherQueue() };
    await batches.join(id, [here, there]);
    assert.equal(await batches.left(id), 2);
    assert.equal(await batches.leave(id, there, "dead"), true);
    assert.equal(await batches.leave(id, here, "succeeded"), false);
    assert.deepEqual((await batches.ended(id)).map(({ end }) => end).toSorted(), [
      "dead",
      "succeeded",
    ]);
  }),

  conformanceCase(
    "batches: a job stays the same one where another of its id joins later",
    async (scene) => {
      const { batches } = scene.broker;
      const { id } = await opened(scene, ["a", "b"]);
      const there = { id: "a", queue: await scene.anotherQueue() };
      await batches.leave(id, ref(scene, "b"), "succeeded");
      await batches.join(id, [...refs(scene, "a", "b"), there, { ...there, id: "b" }]);
      assert.equal(await batches.left(id), 3);
      assert.equal(await batches.leave(id, ref(scene, "a"), "succeeded"), true);
      assert.equal(await batches.leave(id, { ...there, id: "b" }, "succeeded"), true);
      assert.equal(await batches.leave(id, there, "succeeded"), false);
      assert.equal((await batches.ended(id)).length, 4);
    },
  ),

  conformanceCase(
    "batches: what was refused may join again, and counts as it ends",
    async (scene) => {
      const { batches } = scene.broker;
      const { id } = await opened(scene, ["a", "b"]);
      await batches.leave(id, ref(scene, "a"), "refused");
      await batches.leave(id, ref(scene, "b"), "succeeded");
      await batches.join(id, refs(scene, "a", "b"));
      assert.equal(await batches.left(id), 1);
      assert.equal(await batches.leave(id, ref(scene, "a"), "succeeded"), false);
      assert.deepEqual(
        (await batches.ended(id)).map(({ end }) => end),
        ["succeeded", "succeeded"],
      );
    },
  ),
];
