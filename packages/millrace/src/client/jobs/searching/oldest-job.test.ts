import { defineJob } from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime } from "../../../testing/test-runtime.ts";

const work = defineJob<string>({ name: "desk.work", queue: "desk" });

test("the oldest job of a queue is found where it is: it may wait while a younger one runs", async () => {
  const busy = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  await using t = await createTestRuntime({
    slots: 1,
    jobs: [work.handler(({ input }) => (input === "busy" ? busy : end).promise)],
  });
  const { jobs, queues } = t.client;
  await t.clock.advance("1s");
  expect(await jobs.oldest("desk")).toBeUndefined();
  await t.enqueue(work, "later", { id: "later", delay: "1h" });
  await t.clock.advance("1s");
  // It does not lie in the queue.
  expect(await jobs.oldest("desk")).toBeUndefined();
  await t.enqueue(work, "busy", { id: "busy" });
  await t.clock.advance("1s");
  expect(await jobs.oldest("desk")).toMatchObject({ id: "busy", state: "running" });
  await t.enqueue(work, "old", { id: "old", priority: "low" });
  await t.clock.advance("1s");
  await t.enqueue(work, "urgent", { id: "urgent", priority: "high" });
  busy.resolve();
  await t.clock.advance("1s");
  const { running, queued, oldestAgeMs } = await queues.snapshot("desk");
  expect({ running, queued }).toEqual({ running: 1, queued: 1 });
  expect(await jobs.oldest("desk")).toEqual({
    ...{ id: "old", queue: "desk", name: "desk.work", state: "queued", attempts: 0, lane: "low" },
    storedAt: t.clock.now() - oldestAgeMs,
    createdAt: t.clock.now() - oldestAgeMs,
  });
  await expect(jobs.oldest("nowhere")).rejects.toMatchObject({ code: "queue-not-found" });
  end.resolve();
});
