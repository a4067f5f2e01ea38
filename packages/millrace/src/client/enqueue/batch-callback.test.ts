import { type BatchEnded, defineJob, planJob } from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime, type TestRuntime } from "../../testing/test-runtime.ts";

const page = defineJob<{ n: number }>({ name: "page", retry: "none" });
const report = defineJob<BatchEnded<string>>({ name: "report", queue: "reports" });

async function runtime(): Promise<TestRuntime> {
  return createTestRuntime({
    jobs: [
      page.handler(({ input }) => input.n),
      report.handler(({ input }) => `${input.batch.succeeded} on ${input.input}`),
    ],
  });
}

const pages = (count: number) =>
  Array.from({ length: count }, (_, n) => planJob(page, { n }, { id: `p${n}` }));

const make = ({ client }: TestRuntime, count = 2) =>
  client.batch(pages(count), { id: "b", callback: { job: report, input: "monday" } });

/** What is given within a minute. */
async function within<T>(t: TestRuntime, result: Promise<T>): Promise<T | "nothing"> {
  let given: T | "nothing" = "nothing";
  const settled = result.then((value) => (given = value));
  settled.catch(() => {});
  await t.clock.advance("1m");
  if (given !== "nothing") await settled;
  return given;
}

test("made again long after it was over, it still gives what its callback gave", async () => {
  await using t = await runtime();
  await make(t);
  await t.drain();
  await t.clock.advance("3h");
  const again = await make(t);
  expect(again.callback.duplicate).toBe(true);
  expect(await within(t, again.result())).toBe("2 on monday");
  expect(await within(t, again.callback.result())).toBe("2 on monday");
});

test("made again while it is open, both of its makers are given what its callback gave", async () => {
  await using t = await runtime();
  await t.client.queues.pause("default");
  const first = await make(t);
  await t.clock.advance("3h");
  const second = await make(t);
  const results = [first.result(), second.result(), first.callback.result()];
  await t.client.queues.resume("default");
  await t.drain();
  for (const result of results) expect(await within(t, result)).toBe("2 on monday");
});

test("a job of a producer's that has the callback's id is not taken for the callback", async () => {
  await using t = await runtime();
  await t.client.enqueue(
    report,
    { input: "sunday", batch: { succeeded: 9 } } as BatchEnded<string>,
    { id: "b:callback" },
  );
  await t.drain();
  await t.clock.advance("3h");
  await t.client.queues.pause("default");
  const batch = await make(t);
  const result = batch.result();
  expect(await within(t, result)).toBe("nothing");
  await t.client.queues.resume("default");
  await t.drain();
  expect(await within(t, result)).toBe("2 on monday");
});

test("the callback of a batch that was made again is cancelled where it waits", async () => {
  await using t = await runtime();
  await t.client.queues.pause("default");
  await t.client.queues.pause("reports");
  const first = await make(t);
  await t.clock.advance("3h");
  await make(t);
  await expect(first.callback.cancel()).rejects.toMatchObject({ code: "job-not-found" });
  await t.client.queues.resume("default");
  await t.clock.advance("1m");
  expect(await first.callback.cancel("not wanted")).toMatchObject({ state: "cancelling" });
  await t.client.queues.resume("reports");
  await t.drain();
  await expect(first.result()).rejects.toMatchObject({ code: "cancelled" });
});

test("it waits among the delayed jobs where its queue is full, and the batch is not refused", async () => {
  await using t = await runtime();
  await t.client.queues.pause("reports");
  await t.client.queues.ensure("reports", { maxJobs: 1 });
  await t.client.enqueue(report, { input: "sunday", batch: { succeeded: 9 } } as never);
  // Of nothing: it calls back at once.
  const batch = await make(t, 0);
  await t.client.queues.resume("reports");
  await t.drain();
  expect(await within(t, batch.result())).toBe("0 on monday");
});
