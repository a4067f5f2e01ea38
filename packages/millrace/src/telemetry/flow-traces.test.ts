import { SpanStatusCode } from "@opentelemetry/api";
import { type BatchEnded, defineJob, defineSchedule, planJob } from "@millrace/core";
import { telemetry } from "@millrace/telemetry/tracing";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createTestRuntime } from "../testing/test-runtime.ts";
import { idOf, linksOf } from "./recorded-spans.fixture.ts";
import { runtime, work, request, spans } from "./traced-jobs.fixture.ts";

beforeAll(() => spans.register());

afterEach(() => spans.clear());

afterAll(() => spans.unregister());

test("a bulk: a create span for each job, one publish that links to them, and each job under its own", async () => {
  await using t = await runtime([work.handler(() => 1)]);
  await request(() =>
    t.client.enqueueMany(work, [
      { id: "a", input: {} },
      { id: "b", input: {} },
    ]),
  );
  await t.drain();
  expect(spans.tree()).toBe(
    [
      "INTERNAL GET /order",
      "  PRODUCER create default",
      "    CONSUMER process work",
      "  PRODUCER create default",
      "    CONSUMER process work",
      "  CLIENT publish default",
    ].join("\n"),
  );
  const publish = spans.one("publish default");
  expect(linksOf(publish)).toEqual(spans.named("create default").map(idOf));
  expect(publish.attributes["messaging.batch.message_count"]).toBe(2);
});

test("a bulk without create spans: the publish is the producer of all", async () => {
  await using t = await runtime([work.handler(() => 1)], { createSpans: false });
  await t.client.enqueueMany(work, [{ input: {} }, { input: {} }]);
  await t.drain();
  expect(spans.tree()).toBe(
    ["PRODUCER publish default", "  CONSUMER process work", "  CONSUMER process work"].join("\n"),
  );
});

test("a job that its queue refuses is a publish in red, named in a bulk", async () => {
  await using t = await runtime([work.handler(() => 1)]);
  const lost = defineJob({ name: "lost", queue: "nowhere" });
  await expect(t.enqueue(lost, {})).rejects.toThrow("nowhere");
  expect(spans.one("publish nowhere")).toMatchObject({
    status: { code: SpanStatusCode.ERROR },
    attributes: { "error.type": "queue-not-found" },
  });
  spans.clear();
  await t.client.enqueueMany(lost, [
    { id: "x", input: {} },
    { id: "y", input: {} },
  ]);
  expect(
    spans
      .one("publish nowhere")
      .events.map(({ name, attributes }) => [name, attributes?.["job.id"]]),
  ).toEqual([
    ["exception", undefined],
    ["job.refused", "x"],
    ["job.refused", "y"],
  ]);
});

test("what a handler enqueues hangs under its attempt", async () => {
  const child = defineJob({ name: "child" });
  await using t = await runtime([
    work.handler(async ({ enqueue }) => void (await enqueue(child, {}))),
    child.handler(() => 1),
  ]);
  await t.enqueue(work, {});
  await t.drain();
  expect(spans.tree()).toBe(
    [
      "PRODUCER publish default",
      "  CONSUMER process work",
      "    PRODUCER publish default",
      "      CONSUMER process child",
    ].join("\n"),
  );
});

test("a chain: each job hangs under the attempt that made it follow", async () => {
  const next = defineJob<number>({ name: "next", queue: "second" });
  const first = defineJob<number, number, number>({ name: "first" });
  let failed = false;
  await using t = await runtime([
    first.handler(({ input }) => {
      if (!failed) {
        failed = true;
        throw new Error("once");
      }
      return input;
    }),
    next.handler(() => 1),
  ]);
  await t.client.chain(first, 1).next(next).enqueue();
  await t.drain();
  expect(spans.tree()).toBe(
    [
      "PRODUCER publish default",
      "  CONSUMER process first ERROR",
      "  CONSUMER process first (attempt 2)",
      "    PRODUCER publish second",
      "      CONSUMER process next",
    ].join("\n"),
  );
  expect(linksOf(spans.one("process next"))).toEqual([]);
});

test("a batch: its callback hangs under the attempt that was the last", async () => {
  const report = defineJob<BatchEnded>({ name: "report" });
  await using t = await runtime([work.handler(() => 1), report.handler(() => 1)]);
  await request(() =>
    t.client.batch([planJob(work, {}), planJob(work, {})], {
      callback: { job: report, input: undefined },
    }),
  );
  await t.drain();
  expect(spans.tree().replaceAll(/^.*process work$\n?/gm, "")).toBe(
    [
      "INTERNAL GET /order",
      "  PRODUCER create default",
      "  PRODUCER create default",
      "      PRODUCER publish default",
      "        CONSUMER process report",
      "  CLIENT publish default",
    ].join("\n"),
  );
});

test("each tick of a schedule is a trace of its own, whatever the node was doing", async () => {
  await using t = await createTestRuntime({
    jobs: [work.handler(() => 1)],
    schedules: [defineSchedule({ name: "hourly", job: work, cron: "0 * * * *", input: {} })],
    instrumentation: telemetry(),
  });
  await t.clock.advance("2h");
  await t.drain({ maxTime: "1m" });
  expect(spans.tree()).toBe(
    [
      "PRODUCER publish default",
      "  CONSUMER process work",
      "PRODUCER publish default",
      "  CONSUMER process work",
    ].join("\n"),
  );
  for (const span of spans.all) expect(span.attributes["job.schedule"]).toBe("hourly");
});
