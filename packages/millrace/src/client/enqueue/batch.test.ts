import {
  type BatchEnded,
  type Clock,
  defineJob,
  fatal,
  MillraceError,
  planJob,
} from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime } from "../../testing/test-runtime.ts";
import { createClient } from "../client.ts";

const page = defineJob<{ n: number }>({ name: "page", retry: "none" });
const report = defineJob<BatchEnded<{ day: string }>>({ name: "report" });

const single = defineJob<number>({ name: "single", queue: "single" });

const FULL = new MillraceError("queue-full", "no room");

async function runtime(work: (n: number) => unknown) {
  const reports: unknown[] = [];
  const t = await createTestRuntime({
    jobs: [
      page.handler(({ input }) => work(input.n)),
      report.handler(({ input }) => {
        reports.push(input);
        return `${input.batch.succeeded} of ${input.batch.total} on ${input.input.day}`;
      }),
    ],
  });
  return { t, reports };
}

const pages = (count: number) =>
  Array.from({ length: count }, (_, n) => planJob(page, { n }, { id: `p${n}` }));

test("the callback follows once when every job has ended, and is told how each did", async () => {
  const { t, reports } = await runtime((n) => (n === 2 ? fatal("no such page") : n));
  await using _ = t;
  const batch = await t.client.batch(pages(5), {
    id: "b",
    callback: { job: report, input: { day: "monday" } },
  });
  await t.drain();
  expect(await batch.result()).toBe("4 of 5 on monday");
  expect(reports).toEqual([
    {
      batch: {
        id: "b",
        total: 5,
        succeeded: 4,
        dead: 1,
        expired: 0,
        cancelled: 0,
        refused: 0,
        failed: [{ id: "p2", end: "dead" }],
      },
      input: { day: "monday" },
    },
  ]);
  expect(await batch.left()).toBe(0);
});

test("a job that is retried, delayed or snoozed keeps its batch open", async () => {
  const { t, reports } = await runtime((n) => n);
  await using _ = t;
  const batch = await t.client.batch(
    [...pages(2), planJob(page, { n: 9 }, { id: "late", delay: "1h" })],
    { callback: { job: report, input: { day: "d" } } },
  );
  await t.clock.advance("30m");
  expect([await batch.left(), reports.length]).toEqual([1, 0]);
  await t.drain();
  expect(reports).toHaveLength(1);
});

test("a batch of nothing calls back at once", async () => {
  const { t } = await runtime(() => 0);
  await using _ = t;
  const batch = await t.client.batch([], { callback: { job: report, input: { day: "d" } } });
  await t.drain();
  expect(await batch.result()).toBe("0 of 0 on d");
});

test("made again with the same ids it is the same batch, also when it has ended", async () => {
  const { t, reports } = await runtime((n) => n);
  await using _ = t;
  const make = () =>
    t.client.batch(pages(3), { id: "again", callback: { job: report, input: { day: "d" } } });
  await make();
  await make();
  await t.drain();
  await make();
  await t.drain();
  expect(reports).toHaveLength(1);
});

test("a job that its queue refuses has ended, and the batch says so", async () => {
  const { t, reports } = await runtime((n) => n);
  await using _ = t;
  const nowhere = defineJob<{ n: number }>({ name: "page", queue: "nowhere" });
  const batch = await t.client.batch([planJob(nowhere, { n: 1 }, { id: "x" }), ...pages(1)], {
    callback: { job: report, input: { day: "d" } },
  });
  await t.drain();
  expect(batch.refused).toMatchObject([{ id: "x", error: { code: "queue-not-found" } }]);
  expect(reports).toMatchObject([
    { batch: { total: 2, succeeded: 1, refused: 1, failed: [{ id: "x", end: "refused" }] } },
  ]);
});

test("nothing is enqueued where the callback could never run, or the id is too long", async () => {
  const { t } = await runtime((n) => n);
  await using _ = t;
  const lost = defineJob<BatchEnded<null>>({ name: "report", queue: "nowhere" });
  await expect(
    t.client.batch(pages(1), { callback: { job: lost, input: null } }),
  ).rejects.toMatchObject({ code: "queue-not-found" });
  await expect(
    t.client.batch(pages(1), {
      id: "x".repeat(101),
      callback: { job: report, input: { day: "d" } },
    }),
  ).rejects.toBeInstanceOf(MillraceError);
  await t.drain();
  await expect(t.job("p0")).rejects.toMatchObject({ code: "job-not-found" });
});

test("a crash between the last job's record and its ack: recalled, and one callback", async () => {
  const { t, reports } = await runtime((n) => n);
  await using _ = t;
  const leave = t.broker.batches.leave.bind(t.broker.batches);
  let crashes = 1;
  t.broker.batches.leave = async (...args) => {
    const othersLeft = await leave(...args);
    if ((crashes -= 1) === 0) {
      t.broker.loseLeases("default");
      throw new MillraceError("publish-timeout", "no answer");
    }
    return othersLeft;
  };
  await t.client.batch(pages(1), { callback: { job: report, input: { day: "d" } } });
  await t.drain();
  expect(crashes).toBeLessThan(0);
  expect(reports).toMatchObject([{ batch: { total: 1, succeeded: 1 } }]);
});

test("a job that may be stored is not counted as refused: made again, the batch tells what is true", async () => {
  const { t, reports } = await runtime((n) => n);
  await using _ = t;
  const make = () =>
    t.client.batch(pages(3), { id: "b", callback: { job: report, input: { day: "d" } } });
  const lost = new MillraceError("publish-timeout", "no answer");
  for (let n = 0; n < 3; n += 1) t.broker.failNext("enqueue", lost);
  await expect(make()).rejects.toMatchObject({
    code: "publish-timeout",
    message: expect.stringMatching(/3 of the 3 jobs of the batch b .*same id/) as string,
  });
  await t.drain();
  expect(reports).toEqual([]);
  const batch = await make();
  await t.drain();
  expect(await batch.result()).toBe("3 of 3 on d");
  expect(reports).toMatchObject([{ batch: { total: 3, succeeded: 3, refused: 0 } }]);
});

test("made again long after its queues have forgotten the ids, nothing of it runs a second time", async () => {
  const ran: number[] = [];
  const { t, reports } = await runtime((n) => void ran.push(n));
  await using _ = t;
  const planned = [...pages(2), planJob(page, { n: 9 }, { id: "late", delay: "1h" })];
  const make = () =>
    t.client.batch(planned, { id: "b", callback: { job: report, input: { day: "d" } } });
  // One of the jobs was never stored; then its producer died.
  const enqueue = t.broker.enqueue.bind(t.broker);
  const lost = new MillraceError("publish-timeout", "no answer");
  t.broker.enqueue = async (jobs) => [
    { ok: false, id: "p0", queue: "default", error: lost },
    ...(await enqueue(jobs.slice(1))),
  ];
  await expect(make()).rejects.toMatchObject({ code: "publish-timeout" });
  t.broker.enqueue = enqueue;
  await t.clock.advance("30m");
  expect(ran).toEqual([1]);
  expect((await make()).jobs.map(({ id }) => id)).toEqual(["p0", "p1", "late"]);
  await t.clock.advance("3m");
  expect((await make()).jobs).toHaveLength(3);
  await t.drain();
  expect(ran).toEqual([1, 0, 9]);
  expect(reports).toMatchObject([{ batch: { total: 3, succeeded: 3 } }]);
});

test.each([3_600_000, -3_600_000])(
  "made again by a machine whose clock is %s ms ahead, nothing of it runs a second time",
  async (offMs) => {
    const ran: number[] = [];
    const { t, reports } = await runtime((n) => void ran.push(n));
    await using _ = t;
    const { clock } = t;
    const wrong: Clock = {
      now: () => clock.now() + offMs,
      monotonic: () => clock.monotonic(),
      setTimer: (ms, fire) => clock.setTimer(ms, fire),
    };
    const { batch } = createClient(t.broker, wrong);
    const planned = [...pages(2), planJob(page, { n: 9 }, { id: "late", delay: "3h" })];
    const make = () => batch(planned, { id: "b", callback: { job: report, input: { day: "d" } } });
    await make();
    await clock.advance("30m");
    expect((await make()).jobs).toHaveLength(3);
    await t.drain();
    expect(ran).toEqual([0, 1, 9]);
    expect(reports).toMatchObject([{ batch: { total: 3, succeeded: 3 } }]);
  },
);

test("made again after an earlier job of a member's id, it has the job that was refused at first", async () => {
  const ran: number[] = [];
  const { t } = await runtime((n) => void ran.push(n));
  await using _ = t;
  await t.client.enqueue(page, { n: 7 }, { id: "p0" });
  await t.clock.advance("10m");
  const planned = [...pages(1), planJob(page, { n: 9 }, { id: "late", delay: "1h" })];
  const make = () =>
    t.client.batch(planned, { id: "b", callback: { job: report, input: { day: "d" } } });
  t.broker.failNext("enqueue", new MillraceError("queue-full", "no room"));
  expect((await make()).refused).toMatchObject([{ id: "p0" }]);
  await t.clock.advance("10m");
  expect((await make()).refused).toEqual([]);
  await t.drain();
  expect(ran).toEqual([7, 0, 9]);
});

test("made again after an earlier job of a member's id ended late, it has the job that was refused at first", async () => {
  const ran: number[] = [];
  const { t, reports } = await runtime((n) => void ran.push(n));
  await using _ = t;
  // It ends after the batch was made first.
  await t.client.enqueue(page, { n: 7 }, { id: "p0", delay: "15m" });
  await t.clock.advance("10m");
  const planned = [...pages(1), planJob(page, { n: 9 }, { id: "late", delay: "1h" })];
  const make = () =>
    t.client.batch(planned, { id: "b", callback: { job: report, input: { day: "d" } } });
  t.broker.failNext("enqueue", FULL);
  expect((await make()).refused).toMatchObject([{ id: "p0" }]);
  await t.clock.advance("10m");
  expect(ran).toEqual([7]);
  expect((await make()).refused).toEqual([]);
  await t.drain();
  expect(ran).toEqual([7, 0, 9]);
  expect(reports).toMatchObject([{ batch: { total: 2, succeeded: 2, refused: 0 } }]);
});

test("a job that was refused, and is taken when the batch is made again, counts as it ends", async () => {
  const { t, reports } = await runtime((n) => n);
  await using _ = t;
  const planned = [...pages(2), planJob(page, { n: 9 }, { id: "late", delay: "1h" })];
  const make = () =>
    t.client.batch(planned, { id: "b", callback: { job: report, input: { day: "d" } } });
  t.broker.failNext("enqueue", new MillraceError("queue-full", "no room"));
  expect((await make()).refused).toMatchObject([{ id: "p0" }]);
  expect((await make()).refused).toEqual([]);
  await t.drain();
  expect(reports).toMatchObject([{ batch: { total: 3, succeeded: 3, refused: 0 } }]);
});

test("made again while its callback is being enqueued, a job that was refused stays refused", async () => {
  const ran: number[] = [];
  const { t, reports } = await runtime((n) => void ran.push(n));
  await using _ = t;
  const make = () =>
    t.client.batch(pages(2), { id: "b", callback: { job: report, input: { day: "d" } } });
  const requeue = t.broker.requeue.bind(t.broker);
  let again: ReturnType<typeof make> | undefined;
  // Who calls back has seen that one of its jobs was refused.
  t.broker.requeue = async (...args) => {
    t.broker.requeue = requeue;
    again = make();
    await again;
    return requeue(...args);
  };
  t.broker.failNext("enqueue", FULL);
  t.broker.failNext("enqueue", FULL);
  await make();
  const { jobs, refused } = (await again) ?? expect.unreachable("it was not made again");
  expect(jobs).toEqual([]);
  expect(refused).toMatchObject([
    { id: "p0", error: { code: "batch-ended" } },
    { id: "p1", error: { code: "batch-ended" } },
  ]);
  await t.drain();
  expect(ran).toEqual([]);
  expect(reports).toMatchObject([{ batch: { total: 2, refused: 2 } }]);
});

test("made again before anybody has decided how it ended, a job that was refused runs, and counts", async () => {
  const ran: number[] = [];
  const { t, reports } = await runtime((n) => void ran.push(n));
  await using _ = t;
  const make = () =>
    t.client.batch(pages(2), { id: "b", callback: { job: report, input: { day: "d" } } });
  const ended = t.broker.batches.ended.bind(t.broker.batches);
  // Who looks at its jobs sees one that was refused, and then it is taken.
  t.broker.batches.ended = async (id) => {
    t.broker.batches.ended = ended;
    const seen = await ended(id);
    expect((await make()).refused).toEqual([]);
    return seen;
  };
  t.broker.failNext("enqueue", FULL);
  t.broker.failNext("enqueue", FULL);
  await make();
  await t.drain();
  expect(ran.toSorted()).toEqual([0, 1]);
  expect(reports).toMatchObject([{ batch: { total: 2, succeeded: 2, refused: 0 } }]);
});

test("made again while its callback waits or is on record, it is over: nothing of it runs again", async () => {
  const ran: number[] = [];
  const { t, reports } = await runtime((n) => void ran.push(n));
  await using _ = t;
  const make = () =>
    t.client.batch(pages(2), { id: "b", callback: { job: report, input: { day: "d" } } });
  t.broker.failNext("enqueue", FULL);
  t.broker.failNext("enqueue", FULL);
  expect((await make()).refused).toHaveLength(2);
  expect(await t.client.broker.batches.find("b")).toBeUndefined();
  expect((await make()).refused).toMatchObject([{ error: { code: "batch-ended" } }, {}]);
  await t.drain();
  expect((await make()).refused).toMatchObject([{ error: { code: "batch-ended" } }, {}]);
  await t.clock.advance("10m");
  expect((await make()).refused).toMatchObject([{ error: { code: "batch-ended" } }, {}]);
  await t.drain();
  expect(ran).toEqual([]);
  expect(reports).toMatchObject([{ batch: { refused: 2 } }]);
});

test("one that has ended is not made again by a producer that asks hours later, and tells how it ended", async () => {
  const ran: number[] = [];
  const { t, reports } = await runtime((n) => void ran.push(n));
  await using _ = t;
  const make = () =>
    t.client.batch(pages(2), { id: "b", callback: { job: report, input: { day: "d" } } });
  await make();
  await t.drain();
  await t.clock.advance("3h");
  const again = await make();
  await t.drain();
  expect(ran.toSorted()).toEqual([0, 1]);
  expect(again.jobs).toHaveLength(2);
  expect(again.callback.duplicate).toBe(true);
  expect(again.refused).toEqual([]);
  expect(await again.left()).toBe(0);
  expect(reports).toMatchObject([{ batch: { succeeded: 2 } }]);
});

test("a job of another queue with a member's id is no member", async () => {
  const { t, reports } = await runtime((n) => n);
  await using _ = t;
  const later = { id: "p0", delay: "1h" } as const;
  const batch = await t.client.batch([planJob(page, { n: 0 }, later)], {
    id: "b",
    callback: { job: report, input: { day: "d" } },
  });
  await t.broker.batches.leave("b", { id: "p0", queue: "mail" }, "succeeded");
  expect([await batch.left(), reports.length]).toEqual([1, 0]);
});

test("a batch has so many jobs and no more; nothing of a larger one is stored", async () => {
  const { t } = await runtime((n) => n);
  await using _ = t;
  const one = { envelope: () => expect.unreachable("it was refused before") };
  const planned = Array.from({ length: 100_001 }, () => one);
  await expect(
    t.client.batch(planned, { id: "large", callback: { job: report, input: { day: "d" } } }),
  ).rejects.toMatchObject({
    code: "invalid-option",
    message: expect.stringContaining("100,000") as string,
  });
  expect(await t.client.broker.batches.find("large")).toBeUndefined();
});

test.each([[undefined], [{}], [{ callback: {} }]])(
  "a batch that names no job to follow is refused, and stores nothing: %j",
  async (options) => {
    await using t = await createTestRuntime({ jobs: [single.handler(() => {})] });
    const batch = t.client.batch([planJob(single, 1)], options as never);
    await expect(batch).rejects.toMatchObject({
      code: "invalid-option",
      message: expect.stringMatching(/^callback: /) as string,
    });
    expect(await t.client.jobs.count({ state: "queued" })).toBe(0);
  },
);
