import assert from "node:assert/strict";
import type { JobLogPage, StoredLogPage } from "@millrace/core";
import { type ConformanceCase, conformanceCase, type Scene, sharedCase } from "../scene.ts";

function pageOf(scene: Scene, page: number, message = `line of page ${page}`): JobLogPage {
  const at = scene.harness.now();
  const lines = [{ at, level: "info" as const, message, fields: { order: { n: page, of: "ü" } } }];
  return { createdAt: Math.floor(at), attempt: 1, node: "conformance", token: 7, page, lines };
}

const withoutPosition = ({ position: _, ...page }: StoredLogPage): JobLogPage => page;

export const jobLogCases: readonly ConformanceCase[] = [
  conformanceCase(
    "job logs: what is kept of a job is read back, whole and in order",
    async (scene) => {
      const { jobLogs } = scene.broker;
      const [job, other] = [scene.job(), scene.job()];
      assert.deepEqual(await jobLogs.read(job), []);
      const pages = [0, 1, 2].map((page) => pageOf(scene, page));
      for (const page of pages) await jobLogs.append(job, page);
      const left = { ...pageOf(scene, 0, "another's"), left: 12 };
      await jobLogs.append(other, left);
      assert.deepEqual((await jobLogs.read(job)).map(withoutPosition), pages);
      assert.deepEqual((await jobLogs.read(other)).map(withoutPosition), [left]);
      const elsewhere = { id: job.id, queue: await scene.anotherQueue() };
      assert.deepEqual(await jobLogs.read(elsewhere), []);
    },
  ),

  sharedCase("job logs: are read on from a position, by whom so ever", async (scene) => {
    const job = scene.job();
    const { jobLogs } = await scene.connect();
    for (const page of [0, 1, 2]) await scene.broker.jobLogs.append(job, pageOf(scene, page));
    const first = await jobLogs.read(job, { limit: 2 });
    assert.deepEqual(
      first.map(({ page }) => page),
      [0, 1],
    );
    const after = first.at(-1)?.position ?? 0;
    assert.deepEqual(
      (await jobLogs.read(job, { after })).map(({ page }) => page),
      [2],
    );
    const end = (await jobLogs.read(job)).at(-1)?.position ?? 0;
    assert.deepEqual(await jobLogs.read(job, { after: end }), []);
    await scene.broker.jobLogs.append(job, pageOf(scene, 3));
    assert.deepEqual(
      (await jobLogs.read(job, { after: end })).map(({ page }) => page),
      [3],
    );
  }),

  conformanceCase("job logs: a page that comes again is kept once", async (scene) => {
    const { jobLogs } = scene.broker;
    const job = scene.job();
    const page = pageOf(scene, 0);
    await jobLogs.append(job, page);
    await jobLogs.append(job, page);
    await jobLogs.append(job, { ...page, attempt: 2 });
    await jobLogs.append(job, { ...page, token: 8 });
    assert.deepEqual(
      (await jobLogs.read(job)).map(({ attempt, token }) => `${attempt} ${token}`),
      ["1 7", "2 7", "1 8"],
    );
  }),
];
