import { defineJob } from "@millrace/core";
import { expect, test } from "vitest";
import { replayRuns } from "./replay-runs.ts";
import { createTestRuntime } from "./test-runtime.ts";

const charge = defineJob<{ order: string }, { order: string }, string>({
  name: "charge",
  queue: "charges",
  unique: { key: ({ order }) => order, while: "running" },
});
const order = defineJob({ name: "order", queue: "orders", steps: true, retry: "none" });
const orders = order.handler(({ step }) => step.call(charge, { order: "7" }));

test("a call that was refused is shown and replayed as failed, and a retry calls anew", async () => {
  const charged: string[] = [];
  await using t = await createTestRuntime({
    jobs: [
      charge.handler(({ job }) => {
        charged.push(job.id.split(":")[0] ?? "");
        return "charged";
      }),
      orders,
    ],
  });
  await t.enqueue(charge, { order: "7" }, { id: "holder", delay: "10m" });
  await t.enqueue(order, null, { id: "o1" });
  await t.clock.advance("5s");
  const { error, steps } = await t.assertDead("o1");
  expect(error).toMatchObject({ message: "The job holder has its unique key." });
  expect(steps).toMatchObject([
    { name: "charge", kind: "call", state: "failed", error: { type: "unique-conflict" } },
  ]);

  await t.clock.advance("10m");
  expect(charged).toEqual(["holder"]);
  await t.client.dead.retry({ id: "o1" });
  await t.clock.advance("5s");
  expect(charged).toEqual(["holder", "millrace-call"]);
  expect(await t.assertSucceeded("o1")).toMatchObject({ result: "charged" });
});

test("a run whose call was refused is replayed with that refusal", async () => {
  const patient = order.handler(async ({ step }) => {
    const answer = await step.call(charge, { order: "7" }).catch((error: unknown) => String(error));
    await step.sleep("rest", "1d");
    return answer;
  });
  await using t = await createTestRuntime({ jobs: [charge.handler(() => "charged"), patient] });
  await t.enqueue(charge, { order: "7" }, { id: "holder", delay: "2d" });
  await t.enqueue(order, null, { id: "o1" });
  await t.clock.advance("1h");
  const [run] = await replayRuns([orders], await t.recordedRuns(), { timeout: "2s" });
  expect(run).toMatchObject({ outcome: "throws", error: { type: "StepError" }, replayed: 1 });
});
