import { SpanStatusCode, trace } from "@opentelemetry/api";
import { defineJob, snooze } from "@millrace/core";
import { telemetry } from "@millrace/telemetry/tracing";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createTestRuntime, type TestRuntime } from "../testing/test-runtime.ts";
import { idOf, linksOf, RecordedSpans } from "./recorded-spans.fixture.ts";

const spans = new RecordedSpans();
beforeAll(() => spans.register());
afterEach(() => spans.clear());
afterAll(() => spans.unregister());

const work = defineJob<{ readonly fails?: number }>({ name: "work", retry: { attempts: 3 } });

function runtime(jobs: readonly unknown[]): Promise<TestRuntime> {
  return createTestRuntime({ jobs, instrumentation: telemetry() });
}

/** Calls a function inside a span, as an HTTP framework does for a request. */
function request<Result>(call: () => Promise<Result>): Promise<Result> {
  return trace.getTracer("app").startActiveSpan("GET /order", async (span) => {
    try {
      return await call();
    } finally {
      span.end();
    }
  });
}

test("a job hangs under its publish, and that under the request; what a handler begins is in its attempt", async () => {
  const inner = trace.getTracer("app");
  await using t = await runtime([
    work.handler(() => inner.startActiveSpan("query", async (span) => span.end())),
  ]);
  const handle = await request(() => t.enqueue(work, {}, { id: "job-1" }));
  await t.drain();
  await t.assertSucceeded(handle);
  expect(spans.tree()).toBe(
    [
      "INTERNAL GET /order",
      "  PRODUCER publish default",
      "    CONSUMER process work",
      "      INTERNAL query",
    ].join("\n"),
  );
  expect(spans.one("publish default").attributes).toMatchObject({
    "messaging.system": "nats",
    "messaging.operation.name": "publish",
    "messaging.operation.type": "send",
    "messaging.destination.name": "default",
    "messaging.message.id": "job-1",
    "job.id": "job-1",
    "job.name": "work",
    "job.queue": "default",
  });
  const attempt = spans.one("process work");
  expect(attempt.attributes).toMatchObject({
    "messaging.operation.type": "process",
    "job.attempt": 1,
    "job.max_attempts": 3,
    "job.queue_wait_ms": 0,
    "job.outcome": "succeeded",
  });
  expect(attempt.status.code).toBe(SpanStatusCode.UNSET);
  expect(attempt.events.map(({ name }) => name)).toEqual(["settled"]);
});

test("each attempt is a child of the publish, links to the one before it, and is red where it failed", async () => {
  let left = 2;
  await using t = await runtime([
    work.handler(() => {
      if (left-- > 0) throw new RangeError("too far");
    }),
  ]);
  await t.enqueue(work, {}, { delay: "5m" });
  await t.drain();
  const [first, second, third] = spans.named("process work");
  if (first === undefined || second === undefined || third === undefined)
    throw new Error(spans.tree());
  expect(spans.tree()).toBe(
    [
      "PRODUCER publish default",
      "  CONSUMER process work ERROR",
      "  CONSUMER process work ERROR",
      "  CONSUMER process work",
    ].join("\n"),
  );
  expect([first, second, third].map(linksOf)).toEqual([[], [idOf(first)], [idOf(second)]]);
  expect(first.attributes).toMatchObject({ "error.type": "RangeError", "job.outcome": "failed" });
  expect(first.status.message).toBe("too far");
  expect(first.events.map(({ name }) => name)).toEqual(["exception", "settled"]);
  expect([first, second, third].map(({ attributes }) => attributes["job.attempt"])).toEqual([
    1, 2, 3,
  ]);
});

test("a snooze and a cancellation are no errors", async () => {
  let runs = 0;
  await using t = await runtime([work.handler(() => (runs++ === 0 ? snooze("1m") : undefined))]);
  await t.enqueue(work, {});
  await t.drain();
  expect(
    spans
      .named("process work")
      .map(({ attributes, status }) => [attributes["job.outcome"], status.code]),
  ).toEqual([
    ["snoozed", SpanStatusCode.UNSET],
    ["succeeded", SpanStatusCode.UNSET],
  ]);
});
