import { defineJob, type JobOptions } from "@millrace/core";
import { expect, test } from "vitest";
import { latch, QUEUE, simulatedNode } from "../../fixtures/simulated-node.ts";

type Handle = Parameters<ReturnType<typeof defineJob>["handler"]>[0];
const JOB = { id: "a", queue: QUEUE };

/** A node with one job, and all the reports that its follower hears. */
async function following(
  handle: Handle,
  options: Partial<JobOptions<unknown, unknown, unknown>> = {},
) {
  const job = defineJob({ name: "t.job", queue: QUEUE, retry: "none", ...options }).handler(handle);
  const made = await simulatedNode({ jobs: [job] });
  const heard: [number, string?][] = [];
  await made.broker.progress.follow(JOB, ({ value, note }) =>
    heard.push(note === undefined ? [value] : [value, note]),
  );
  return { ...made, heard, latest: () => made.broker.progress.latest(JOB) };
}

test("the first at once, then the latest every 250 ms, and the last before the end", async () => {
  let report: (value: number, note?: string) => void = () => {};
  const end = latch();
  const { clock, enqueue, heard, latest } = await following(({ progress }) => {
    report = progress;
    return end.promise;
  });
  await clock.advance("1s");
  const idle = clock.pending;
  await enqueue("t.job");
  report(0.1, "begun");
  report(0.2);
  report(0.3);
  await clock.advance(0);
  expect(heard).toEqual([[0.1, "begun"]]);
  await clock.advance(249);
  expect(heard).toHaveLength(1);
  await clock.advance(1);
  expect(heard).toEqual([[0.1, "begun"], [0.3]]);
  expect(await latest()).toMatchObject({ value: 0.3, attempt: 1, node: "n1" });
  report(0.9);
  report(1, "done");
  end.open();
  await clock.advance(0);
  expect(heard.at(-1)).toEqual([1, "done"]);
  expect(await latest()).toBeUndefined();
  report(2);
  await clock.advance("1s");
  expect(heard).toHaveLength(3);
  expect(clock.pending).toBe(idle);
});

test("a job that comes again keeps its progress until it has ended", async () => {
  const { clock, enqueue, heard, latest } = await following(
    ({ progress, attempt }) => {
      progress(attempt);
      if (attempt === 1) throw new Error("no");
    },
    { retry: { attempts: 2, backoff: "fixed", base: "1h", jitter: false } },
  );
  await enqueue("t.job");
  expect(await latest()).toMatchObject({ value: 1, attempt: 1 });
  await clock.advance("2h");
  expect(heard).toEqual([[1], [2]]);
  expect(await latest()).toBeUndefined();
});

test("a broker that does not answer slows no handler, and a report that is lost fails no job", async () => {
  const end = latch();
  let report: (value: number) => void = () => {};
  const { broker, clock, enqueue, history, heard } = await following(({ progress }) => {
    report = progress;
    return end.promise;
  });
  await enqueue("t.job");
  broker.disconnect();
  report(1);
  await clock.advance("1s");
  report(2);
  await clock.advance("1s");
  broker.reconnect();
  report(3);
  await clock.advance("1s");
  expect(heard).toEqual([[3]]);
  end.open();
  await clock.advance(0);
  expect(await history()).toMatchObject([{ state: "succeeded" }]);
});

test("what is no progress is thrown where the handler can see it", async () => {
  const { enqueue, history, heard } = await following(({ progress }) => progress(Number.NaN));
  await enqueue("t.job");
  expect(await history()).toMatchObject([
    { state: "dead", error: { type: "invalid-progress", message: /got NaN/ } },
  ]);
  expect(heard).toEqual([]);
});

test("a node that lost the job says nothing more of it", async () => {
  const end = latch();
  let report: (value: number) => void = () => {};
  const { broker, clock, enqueue, heard } = await following(({ progress }) => {
    report = progress;
    return end.promise;
  });
  await enqueue("t.job");
  report(1);
  await clock.advance(0);
  report(2);
  const lost = report;
  broker.loseLeases(QUEUE);
  await clock.advance(0);
  lost(3);
  await clock.advance("1s");
  expect(heard).toEqual([[1]]);
  end.open();
});
