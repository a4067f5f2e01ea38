import assert from "node:assert/strict";
import type { Batch } from "../../broker/batch-store.ts";
import { readWhileWritten } from "./read-while-written.ts";
import { type ConformanceCase, conformanceCase, type Scene } from "./scene.ts";

async function opened(scene: Scene, members: readonly string[]): Promise<Batch> {
  const batch: Batch = {
    id: `batch-${scene.queue}`,
    createdAt: scene.harness.now(),
    callback: scene.job({ payload: { report: [1, "zwei", null] } }),
  };
  await scene.broker.batches.open(batch);
  await scene.broker.batches.join(batch.id, members);
  return batch;
}

export const batchCases: readonly ConformanceCase[] = [
  conformanceCase(
    "batches: the last job that leaves is told so, and what is repeated is the same again",
    async (scene) => {
      const { batches } = scene.broker;
      const { id } = await opened(scene, ["a", "b", "c"]);
      assert.equal(await batches.left(id), 3);
      assert.equal(await batches.leave(id, "b", "dead"), true);
      assert.equal(await batches.leave(id, "b", "dead"), true);
      assert.equal(await batches.leave(id, "a", "succeeded"), true);
      assert.equal(await batches.left(id), 1);
      assert.equal(await batches.leave(id, "c", "cancelled"), false);
      assert.equal(await batches.leave(id, "c", "cancelled"), false);
      const ended = (await batches.ended(id)).map((member) => `${member.id} ${member.end}`);
      assert.deepEqual(ended.toSorted(), ["a succeeded", "b dead", "c cancelled"]);
    },
  ),

  conformanceCase(
    "batches: jobs that leave at the same moment: at least one is told it was the last",
    async (scene) => {
      const { batches } = scene.broker;
      const members = Array.from({ length: 40 }, (_, index) => `m${index}`);
      const { id } = await opened(scene, members);
      const answers = await Promise.all(
        members.map((member) => batches.leave(id, member, "succeeded")),
      );
      assert.ok(answers.some((others) => !others));
      assert.equal(await batches.left(id), 0);
      assert.equal((await batches.ended(id)).length, members.length);
    },
  ),

  conformanceCase(
    "batches: jobs that leave again while the ended ones are read are all told of, each once",
    async (scene) => {
      const { batches } = scene.broker;
      const members = Array.from({ length: 230 }, (_, index) => `m${index}`);
      const { id } = await opened(scene, members);
      await Promise.all(members.map((member) => batches.leave(id, member, "succeeded")));
      await readWhileWritten(
        2,
        (n) => batches.leave(id, members[n % members.length] ?? "", "succeeded"),
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
      await batches.leave(batch.id, "a", "succeeded");
      await batches.open(batch);
      await batches.join(batch.id, ["a", "b", "c"]);
      assert.equal(await batches.left(batch.id), 2);
      assert.deepEqual(await batches.find(batch.id), batch);
    },
  ),

  conformanceCase("batches: one that was removed, or never was, is empty", async (scene) => {
    const { batches } = scene.broker;
    const { id } = await opened(scene, ["a", "b"]);
    await batches.leave(id, "a", "succeeded");
    await batches.remove(id);
    await batches.remove(id);
    for (const gone of [id, `${id}-never`]) {
      assert.equal(await batches.find(gone), undefined);
      assert.equal(await batches.left(gone), 0);
      assert.deepEqual(await batches.ended(gone), []);
    }
  }),

  conformanceCase("batches: two of them know nothing of each other", async (scene) => {
    const { batches } = scene.broker;
    const one = await opened(scene, ["a"]);
    const other = { ...one, id: `${one.id}-2` };
    await batches.open(other);
    await batches.join(other.id, ["a", "b"]);
    assert.equal(await batches.leave(one.id, "a", "expired"), false);
    assert.equal(await batches.left(other.id), 2);
  }),
];
