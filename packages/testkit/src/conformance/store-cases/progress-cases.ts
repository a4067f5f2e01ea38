import assert from "node:assert/strict";
import type { ProgressReport } from "@millrace/core";
import { type ConformanceCase, conformanceCase, type Scene, sharedCase } from "../scene.ts";

const report = (scene: Scene, value: number, note?: string): ProgressReport => ({
  value,
  ...(note === undefined ? {} : { note }),
  attempt: 1,
  at: scene.harness.now(),
  node: "conformance",
});

export const progressCases: readonly ConformanceCase[] = [
  conformanceCase(
    "progress: the latest report of a job is read, whole, until it is removed",
    async (scene) => {
      const { progress } = scene.broker;
      const [job, other] = [scene.job(), scene.job()];
      assert.equal(await progress.latest(job), undefined);
      await progress.remove(job);
      const [first, second] = [report(scene, 0.25), report(scene, 0.5, "grüße")];
      await progress.put(job, first);
      assert.deepEqual(await progress.latest(job), first);
      await progress.put(job, second);
      await progress.put(other, first);
      assert.deepEqual(await progress.latest(job), second);
      assert.equal(
        await progress.latest({ id: job.id, queue: await scene.anotherQueue() }),
        undefined,
      );
      await progress.remove(job);
      await progress.remove(job);
      assert.equal(await progress.latest(job), undefined);
      assert.deepEqual(await progress.latest(other), first);
      await progress.remove(other);
    },
  ),

  sharedCase(
    "progress: a follower on another connection is told of each report of its job, in their order, until it stops",
    async (scene) => {
      const { progress } = scene.broker;
      const [job, other] = [scene.job(), scene.job()];
      scene.later(() => progress.remove(job));
      scene.later(() => progress.remove(other));
      const seen: number[] = [];
      const followed = (await scene.connect()).progress;
      let probes = 0;
      const follower = await followed.follow(job, ({ value }) => {
        if (value === 0) probes += 1;
        else seen.push(value);
      });
      scene.later(() => follower.stop());
      // That somebody follows at one member of a cluster reaches the others a moment later.
      await scene.harness.eventually("a report to be told", async () => {
        await progress.put(job, report(scene, 0));
        return probes > 0;
      });
      await progress.put(other, report(scene, 100));
      for (const value of [1, 2, 3]) await progress.put(job, report(scene, value));
      await scene.harness.eventually("three reports", () => seen.length >= 3);
      assert.deepEqual(seen, [1, 2, 3]);
      await follower.stop();
      await follower.stop();
      const again: number[] = [];
      const second = await followed.follow(job, ({ value }) => void again.push(value));
      scene.later(() => second.stop());
      await scene.harness.eventually("the fourth report", async () => {
        await progress.put(job, report(scene, 4));
        return again.length > 0;
      });
      assert.deepEqual(seen, [1, 2, 3]);
    },
  ),
];
