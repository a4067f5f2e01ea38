import { defineJob } from "@millrace/core";
import { test } from "vitest";
import { createTestRuntime } from "../testing/test-runtime.ts";

test("a job that is blocked at a gate is cancelled at once, and not when its turn comes", async () => {
  const job = defineJob<{ tenant: string }>({
    name: "report",
    concurrency: { key: ({ tenant }) => tenant, limit: 1 },
  }).handler(
    ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error));
      }),
  );
  await using t = await createTestRuntime({ jobs: [job] });
  const handles = [];
  for (let n = 0; n < 3; n += 1) handles.push(await t.client.enqueue(job, { tenant: "acme" }));
  await t.clock.advance("1s");
  await t.assertState(handles[2] as (typeof handles)[0], "blocked");
  await handles[2]?.cancel("not wanted");
  await t.clock.advance("1s");
  await t.assertState(handles[2] as (typeof handles)[0], "cancelled");
  await t.assertState(handles[0] as (typeof handles)[0], "running");
  await t.assertState(handles[1] as (typeof handles)[0], "blocked");
  await handles[0]?.cancel("nor this");
  await handles[1]?.cancel("nor that");
  await t.drain();
});
