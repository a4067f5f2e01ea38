import { type BatchEnded, defineJob, type PlannedJob, planJob } from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime } from "../../testing/test-runtime.ts";

const page = defineJob<{ n: number }>({ name: "page", queue: "pages", retry: "none" });
const report = defineJob<BatchEnded<null>>({ name: "report", queue: "reports" });

async function runtime(work: (n: number) => unknown = () => {}) {
  const ran: number[] = [];
  const reports: BatchEnded["batch"][] = [];
  const t = await createTestRuntime({
    jobs: [
      page.handler(async ({ input }) => {
        ran.push(input.n);
        await work(input.n);
      }),
      report.handler(({ input }) => void reports.push(input.batch)),
    ],
  });
  const make = (id: string, jobs: readonly PlannedJob[]) =>
    t.client.batch(jobs, { id, callback: { job: report, input: null } });
  return { t, ran, reports, make };
}

const pages = (options: { readonly delay?: "1h" } = {}) =>
  [0, 1].map((n) => planJob(page, { n }, { id: `p${n}`, ...options }));

test.each([
  ["at once", "0s", {}],
  ["ten minutes later", "10m", {}],
  ["at once, its jobs delayed", "0s", { delay: "1h" }],
  ["ten minutes later, its jobs delayed", "10m", { delay: "1h" }],
] as const)(
  "made again %s, a batch does not take the end of an earlier job for that of one that waits",
  async (_, wait, options) => {
    const { t, ran, reports, make } = await runtime();
    await using _t = t;
    await make("monday", pages());
    await t.drain();
    await t.clock.advance("1d");
    await t.client.queues.pause("pages");
    await make("tuesday", pages(options));
    await t.clock.advance(wait);
    expect((await make("tuesday", pages(options))).refused).toEqual([]);
    await t.clock.advance("1m");
    expect(reports.map(({ id }) => id)).toEqual(["monday"]);
    await t.client.queues.resume("pages");
    await t.drain();
    expect(ran.toSorted()).toEqual([0, 0, 1, 1]);
    expect(reports[1]).toMatchObject({ id: "tuesday", total: 2, succeeded: 2 });
  },
);

test("nor does it where an earlier job ended a moment before, in a queue that soon forgets", async () => {
  const { t, ran, reports, make } = await runtime();
  await using _ = t;
  await t.client.queues.ensure("pages", { dedupeWindowMs: 1_000 });
  await make("monday", pages());
  await t.drain();
  await t.client.queues.pause("pages");
  await t.clock.advance("3s");
  await make("tuesday", pages());
  await t.clock.advance("3s");
  await make("tuesday", pages());
  await t.clock.advance("1m");
  expect(reports.map(({ id }) => id)).toEqual(["monday"]);
  await t.client.queues.resume("pages");
  await t.drain();
  expect(ran.toSorted()).toEqual([0, 0, 1, 1]);
  expect(reports[1]).toMatchObject({ id: "tuesday", succeeded: 2 });
});

test("a job whose id another has that waits is refused, and holds no batch open", async () => {
  const { t, ran, reports, make } = await runtime();
  await using _ = t;
  await t.client.enqueue(page, { n: 7 }, { id: "p0", delay: "1m" });
  await t.clock.advance("1s");
  for (let times = 0; times < 2; times += 1)
    expect((await make("b", pages({ delay: "1h" }))).refused).toMatchObject([
      { id: "p0", error: { code: "id-taken" } },
    ]);
  await t.drain();
  expect(ran).toEqual([7, 1]);
  expect(reports).toMatchObject([
    { total: 2, succeeded: 1, refused: 1, failed: [{ id: "p0", end: "refused" }] },
  ]);
});

test("a batch that is made again when it is over takes the end of another job for none of its own", async () => {
  const { t, ran, make } = await runtime();
  await using _ = t;
  // One ends before the batch is made, and counts by its end; the other only later.
  await t.client.enqueue(page, { n: 7 }, { id: "p0" });
  await t.client.enqueue(page, { n: 8 }, { id: "p1", delay: "1m" });
  await t.clock.advance("1s");
  const three = () => [...pages(), planJob(page, { n: 2 }, { id: "p2" })];
  expect((await make("b", three())).refused).toMatchObject([
    { id: "p1", error: { code: "id-taken" } },
  ]);
  await t.clock.advance("10m");
  expect(ran).toEqual([7, 2, 8]);
  const again = await make("b", three());
  expect(again.callback.duplicate).toBe(true);
  expect(again.refused).toMatchObject([{ id: "p1", error: { code: "batch-ended" } }]);
  expect(again.jobs.map(({ id }) => id)).toEqual(["p0", "p2"]);
});

test("a job that waits in its queue, as another batch's, is none of a second batch", async () => {
  const { t, ran, reports, make } = await runtime();
  await using _ = t;
  await t.client.queues.pause("pages");
  await make("one", pages());
  const { jobs, refused } = await make("two", pages());
  expect(jobs).toEqual([]);
  expect(refused.map(({ error: { code } }) => code)).toEqual(["id-taken", "id-taken"]);
  await t.client.queues.resume("pages");
  await t.drain();
  expect(ran.toSorted()).toEqual([0, 1]);
  expect(reports).toMatchObject([
    { id: "two", refused: 2 },
    { id: "one", succeeded: 2 },
  ]);
});

test.each([true, false])(
  "a job that runs counts as refused only where it is none of the batch: own %s",
  async (own) => {
    const [running, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { t, reports, make } = await runtime(async () => {
      running.resolve();
      await goOn.promise;
    });
    await using _ = t;
    const jobs = pages().slice(0, 1);
    if (own) await make("b", jobs);
    else await t.client.enqueue(page, { n: 0 }, { id: "p0" });
    await t.clock.advance("1s");
    await running.promise;
    expect((await make("b", jobs)).refused).toHaveLength(own ? 0 : 1);
    goOn.resolve();
    await t.drain();
    expect(reports).toMatchObject([own ? { succeeded: 1, refused: 0 } : { refused: 1 }]);
  },
);

test("a job of the batch that waits for its next attempt stays in it", async () => {
  const often = defineJob<{ n: number }>({
    ...{ name: "page", queue: "pages", retry: { attempts: 3, backoff: "fixed", base: "30s" } },
  });
  let runs = 0;
  const reports: BatchEnded["batch"][] = [];
  await using t = await createTestRuntime({
    jobs: [
      often.handler(() => {
        if ((runs += 1) < 3) throw new Error("not yet");
      }),
      report.handler(({ input }) => void reports.push(input.batch)),
    ],
  });
  const make = () =>
    t.client.batch([planJob(often, { n: 0 }, { id: "p0" })], {
      ...{ id: "b", callback: { job: report, input: null } },
    });
  await make();
  await t.clock.advance("10s");
  expect([runs, (await make()).refused.length]).toEqual([1, 0]);
  await t.clock.advance("10m");
  expect(runs).toBe(3);
  expect(reports).toMatchObject([{ succeeded: 1, refused: 0 }]);
});

test("a job that ended as another's a moment before counts by that end", async () => {
  const { t, ran, reports, make } = await runtime();
  await using _ = t;
  await t.client.enqueue(page, { n: 7 }, { id: "p0" });
  await t.drain();
  expect((await make("b", pages())).refused).toEqual([]);
  await t.drain();
  expect(ran).toEqual([7, 1]);
  expect(reports).toMatchObject([{ succeeded: 2, refused: 0 }]);
});

test("an id that a batch names twice is one job of it", async () => {
  const { t, ran, reports, make } = await runtime();
  await using _ = t;
  expect((await make("b", [...pages(), ...pages()])).refused).toEqual([]);
  await t.drain();
  expect(ran.toSorted()).toEqual([0, 1]);
  expect(reports).toMatchObject([{ total: 2, succeeded: 2 }]);
});
