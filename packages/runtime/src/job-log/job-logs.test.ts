import { defineJob, type Logger, MillraceError, silentLogger, snooze } from "@millrace/core";
import { expect, test } from "vitest";
import { latch, QUEUE, simulatedNode } from "../fixtures/simulated-node.ts";
import type { JobLogOptions } from "./job-log-options.ts";

const JOB = { queue: QUEUE, id: "a" };
const define = () =>
  defineJob({ name: "t.job", queue: QUEUE, retry: { attempts: 2, base: "1s", jitter: false } });

async function scene(
  handle: (log: Logger, attempt: number) => unknown,
  jobLogs: JobLogOptions | "off" = {},
  log: Logger = silentLogger,
) {
  const made = await simulatedNode({
    jobs: [define().handler(({ log: own, attempt }) => handle(own, attempt))],
    log,
    ...(jobLogs === "off" ? {} : { jobLogs }),
  });
  const pages = () => made.broker.jobLogs.read(JOB);
  const lines = async () => (await pages()).flatMap((page) => page.lines);
  return { ...made, pages, lines, messages: async () => (await lines()).map((l) => l.message) };
}

test("lines of each attempt are kept with their attempt, node, level, time and fields", async () => {
  const { enqueue, clock, pages } = await scene((log, attempt) => {
    log.info({ n: attempt }, "begun");
    if (attempt === 1) throw new Error("once more");
    log.warn({}, "slow");
  });
  const start = clock.now();
  await enqueue("t.job");
  await clock.advance("1m");
  expect(await pages()).toMatchObject([
    {
      ...{ attempt: 1, node: "n1", createdAt: start, page: 0 },
      lines: [{ at: start, level: "info", message: "begun", fields: { n: 1 } }],
    },
    {
      attempt: 2,
      lines: [
        { level: "info", message: "begun" },
        { level: "warn", message: "slow" },
      ],
    },
  ]);
  const [first, second] = await pages();
  expect(second?.token).toBeGreaterThan(first?.token ?? Number.NaN);
  expect(second?.lines[1]).not.toHaveProperty("fields");
});

test("nothing is kept where nobody asked for it, and a job that logs nothing writes nothing", async () => {
  const off = await scene((log) => log.info({}, "said"), "off");
  await off.enqueue("t.job");
  expect(await off.pages()).toEqual([]);
  const quiet = await scene(() => "done");
  await quiet.enqueue("t.job");
  await quiet.clock.advance("1m");
  expect(await quiet.pages()).toEqual([]);
});

test("a running job's lines are there a moment after they were logged", async () => {
  const held = latch();
  const { enqueue, clock, messages } = await scene(async (log) => {
    log.info({}, "one");
    log.info({}, "two");
    await held.promise;
    log.info({}, "three");
  });
  await enqueue("t.job");
  expect(await messages()).toEqual([]);
  await clock.advance("250ms");
  expect(await messages()).toEqual(["one", "two"]);
  held.open();
  await clock.advance(0);
  expect(await messages()).toEqual(["one", "two", "three"]);
});

test("lines below the level are not kept, and go where they went", async () => {
  const said: string[] = [];
  const log: Logger = {
    ...silentLogger,
    debug: (_fields, message) => void said.push(message),
    child: () => log,
  };
  const { enqueue, messages } = await scene(
    (own) => {
      own.debug({}, "small");
      own.error({}, "large");
    },
    { level: "warn" },
    log,
  );
  await enqueue("t.job");
  expect(await messages()).toEqual(["large"]);
  expect(said).toContain("small");
});

test("more lines or bytes than an attempt may keep are counted", async () => {
  const { enqueue, clock, pages } = await scene(
    (log) => {
      for (let n = 0; n < 10; n += 1) log.info({}, `line ${n}`);
    },
    { maxLines: 3 },
  );
  await enqueue("t.job");
  await clock.advance("1m");
  expect(await pages()).toMatchObject([{ left: 7, lines: [{}, {}, {}] }]);
  const wide = await scene((log) => {
    for (let n = 0; n < 100; n += 1) log.info({}, "x".repeat(4_000));
  });
  await wide.enqueue("t.job");
  await wide.clock.advance("1m");
  const kept = await wide.lines();
  expect(kept.length).toBeLessThan(70);
  expect((await wide.pages()).reduce((sum, { left = 0 }) => sum + left, 0)).toBe(100 - kept.length);
});

test("a line is kept masked; what is too long for that is left out and says so", async () => {
  const masking = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value).replaceAll("hunter2", "***"));
  const { enqueue, lines } = await scene(
    (log) => {
      log.child({ user: "hunter2" }).info({ password: "hunter2" }, "with hunter2");
      log.error({ err: new TypeError("hunter2") }, "failed");
      log.info({ all: "x".repeat(20_000) }, "large");
    },
    { mask: masking },
  );
  await enqueue("t.job");
  const kept = await lines();
  expect(JSON.stringify(kept)).not.toContain("hunter2");
  expect(kept).toMatchObject([
    { message: "with ***", fields: { user: "***", password: "***" } },
    { message: "failed", fields: { err: { type: "TypeError", message: "***" } } },
    { message: "large", fields: { "left out": "20010 characters of fields" } },
  ]);
});

test("whatever is logged, the handler goes on", async () => {
  const round: Record<string, unknown> = {};
  round["itself"] = round;
  const { enqueue, messages, history } = await scene(
    (log) => {
      const loose = log as unknown as Record<"info", (...given: unknown[]) => void>;
      loose.info("text only");
      loose.info(new Error("thrown"));
      loose.info(round, "round");
      loose.info({ big: 10n }, "user %s", "ada");
      loose.info(undefined);
    },
    {
      mask: (value) => {
        if (value === "round") throw new Error("mask");
        return value;
      },
    },
  );
  await enqueue("t.job");
  expect(await messages()).toEqual([
    ...["text only", "thrown", "(left out: the mask threw)"],
    ...["user ada", "undefined"],
  ]);
  expect(await history()).toMatchObject([{ state: "succeeded" }]);
});

test("a broker that takes no lines delays no job, and what was lost is counted", async () => {
  const warned: string[] = [];
  const log: Logger = {
    ...silentLogger,
    warn: (_fields, message) => void warned.push(message),
    child: () => log,
  };
  const held = latch();
  const { enqueue, clock, broker, history, pages } = await scene(
    async (own) => {
      own.info({}, "lost");
      await held.promise;
      own.info({}, "kept");
    },
    {},
    log,
  );
  const full = new MillraceError("queue-full", "The stream is full.");
  const append = broker.jobLogs.append.bind(broker.jobLogs);
  broker.jobLogs.append = () => Promise.reject(full);
  await enqueue("t.job");
  await clock.advance("250ms");
  expect(warned).toEqual([expect.stringContaining("could not be kept")]);
  broker.jobLogs.append = append;
  held.open();
  await clock.advance(0);
  expect(await history()).toMatchObject([{ state: "succeeded" }]);
  expect(await pages()).toMatchObject([{ page: 1, left: 1, lines: [{ message: "kept" }] }]);
});

test("an attempt that was snoozed has its lines too; what comes after the end is not kept", async () => {
  let late = (): void => {};
  const { enqueue, clock, messages } = await scene((log, attempt) => {
    log.info({}, `of ${attempt}`);
    late = () => log.info({}, "late");
    return snooze("1h");
  });
  await enqueue("t.job");
  late();
  await clock.advance("1m");
  expect(await messages()).toEqual(["of 1"]);
});

test.each([
  [{ level: "loud" }, /jobLogs.level must be one of debug/],
  [{ maxLines: 0 }, /jobLogs.maxLines must be a whole number from 1/],
  [{ lines: 5 }, /jobLogs/],
])("%j is refused", async (jobLogs, words) => {
  await expect(scene(() => {}, jobLogs as JobLogOptions)).rejects.toThrow(words);
});
