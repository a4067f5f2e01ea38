import { type BatchEnded, defineJob, planJob } from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime } from "../../testing/test-runtime.ts";

const page = defineJob<{ n: number }>({ name: "page", retry: "none" });

const member = (delay: "5m" | "1m") => planJob(page, { n: 1 }, { id: "p", delay });

test("a callback is no duplicate of a job that had its key while the batch was open", async () => {
  const report = defineJob<BatchEnded<string>>({
    name: "report",
    unique: { key: ({ input }) => input },
  });
  const reports: string[] = [];
  await using t = await createTestRuntime({
    jobs: [
      page.handler(() => "read"),
      report.handler(({ job }) => {
        reports.push(job.id);
        return "reported";
      }),
    ],
  });
  const batch = await t.client.batch([member("5m")], {
    id: "b",
    callback: { job: report, input: "monday" },
  });
  await t.clock.advance("1m");
  await t.client.enqueue(report, { input: "monday" } as BatchEnded<string>, { id: "other" });
  await t.drain();
  expect(reports).toEqual(["other", "b:callback"]);
  expect(await batch.result()).toBe("reported");
});

test("a callback's keys are made of what it is given, the batch's end too", async () => {
  const asked: unknown[] = [];
  const keyed = ({ batch, input }: BatchEnded<string>): string => {
    asked.push([batch.id, input]);
    return `${batch.id}/${input}`;
  };
  const report = defineJob<BatchEnded<string>>({
    name: "report",
    unique: { key: keyed, while: "running" },
    concurrency: { key: keyed, limit: 1 },
  });
  await using t = await createTestRuntime({
    jobs: [page.handler(() => "read"), report.handler(({ input }) => input.batch.succeeded)],
  });
  const batch = await t.client.batch([member("1m")], {
    id: "b",
    callback: { job: report, input: "monday" },
  });
  await t.drain();
  expect(await batch.result()).toBe(1);
  expect(asked).not.toEqual([]);
  for (const of of asked) expect(of).toEqual(["b", "monday"]);
});

test("how long a callback waited for its start begins when its batch is over", async () => {
  const report = defineJob<BatchEnded<string>>({ name: "report" });
  await using t = await createTestRuntime({
    jobs: [page.handler(() => "read"), report.handler(() => "reported")],
  });
  await t.client.batch([member("5m")], { id: "b", callback: { job: report, input: "monday" } });
  await t.drain();
  const { history } = await t.job("b:callback");
  expect(history.at(-1)?.waitedMs).toBeLessThan(1_000);
});
