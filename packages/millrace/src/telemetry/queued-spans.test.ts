import { SpanKind, type HrTime } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import { defineJob, type Envelope, UNSETTLED } from "@millrace/core";
import { telemetry, type TelemetryOptions } from "@millrace/telemetry/tracing";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createTestRuntime } from "../testing/test-runtime.ts";
import { idOf } from "./recorded-spans.fixture.ts";
import { runtime, spans, work } from "./traced-jobs.fixture.ts";

beforeAll(() => spans.register());

afterEach(() => spans.clear());

afterAll(() => spans.unregister());

const only = defineJob({ name: "only", singleton: true });

/** Two jobs of a singleton: the second waits ten seconds for the first. */
async function secondWaits(options?: TelemetryOptions): Promise<void> {
  let release: (() => void) | undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  await using t = await runtime([only.handler(() => held)], options);
  await t.enqueue(only, {});
  await t.enqueue(only, {}, { id: "second" });
  await t.clock.advance("10s");
  release?.();
  await t.drain();
}

test("the time that an attempt waited is a span beside it, which ends where the attempt begins", async () => {
  await secondWaits();
  const queued = spans.one("queued only");
  const [, attempt] = spans.attemptsOf("only");
  expect(queued.kind).toBe(SpanKind.INTERNAL);
  expect(queued.parentSpanContext?.spanId).toBe(attempt?.parentSpanContext?.spanId);
  const waitedMs = Number(attempt?.attributes["job.queue_wait_ms"]);
  expect(waitedMs).toBeGreaterThanOrEqual(10_000);
  expect(queued.attributes).toEqual({
    "job.id": "second",
    "job.name": "only",
    "job.queue": "default",
    "job.attempt": 1,
    "job.queue_wait_ms": waitedMs,
    "job.limit_wait_ms": attempt?.events[0]?.attributes?.["job.limit_wait_ms"],
    "job.node": attempt?.attributes["job.node"],
  });
  expect(lengthMs(queued)).toBeCloseTo(waitedMs, 0);
  expect(ms(attempt?.startTime ?? [0, 0]) - ms(queued.endTime)).toBeLessThan(1_000);
});

test("a retry's delay is no waiting, and what came after it is told with the attempt's number", async () => {
  let left = 1;
  await using t = await createTestRuntime({
    jobs: [
      work.handler(() => {
        if (left-- > 0) throw new Error("again");
      }),
    ],
    instrumentation: telemetry({ queuedSpans: 0 }),
  });
  await t.enqueue(work, {}, { delay: "5m" });
  await t.drain();
  expect(spans.all.map(({ name }) => name).toSorted()).toEqual([
    ...["process work", "process work (attempt 2)"],
    "publish default",
    ...["queued work", "queued work (attempt 2)"],
  ]);
  for (const name of ["queued work", "queued work (attempt 2)"])
    expect(lengthMs(spans.one(name))).toBeLessThan(1_000);
});

test("a job that expired in its queue shows how long it stood there", async () => {
  const brief = defineJob({ name: "brief", singleton: true, queuedTimeout: "5s" });
  let release: (() => void) | undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  await using t = await runtime([brief.handler(() => held)]);
  await t.enqueue(brief, {});
  await t.enqueue(brief, {});
  await t.clock.advance("1m");
  release?.();
  await t.drain();
  const settle = spans.one("settle default");
  const queued = spans.one("queued brief");
  expect(settle.attributes["job.outcome"]).toBe("expired");
  expect(queued.parentSpanContext).toEqual(settle.parentSpanContext);
  expect(idOf(queued)).not.toBe(idOf(settle));
  expect(lengthMs(queued)).toBeGreaterThanOrEqual(5_000);
});

test("shorter waits, traces of attempts alone and jobs without a trace have none", async () => {
  await secondWaits({ queuedSpans: "11s" });
  await secondWaits({ queuedSpans: false });
  await secondWaits({ propagation: "link" });
  await secondWaits({ propagation: "none" });
  await using t = await createTestRuntime({
    jobs: [work.handler(() => 1)],
    instrumentation: telemetry({ queuedSpans: 0 }),
  });
  const foreign: Envelope = {
    ...UNSETTLED,
    ...{ id: "foreign", name: "work", queue: "default", payload: {}, headers: {} },
    createdAt: t.clock.now() - 60_000,
  };
  await t.broker.enqueue([foreign]);
  await t.drain();
  expect(spans.attemptsOf("work")).toHaveLength(1);
  expect(spans.all.map(({ name }) => name).filter((name) => name.startsWith("queued"))).toEqual([]);
});

test("what is no duration is refused, and so is an option that there is not", () => {
  const wrong = (options: unknown) => () => telemetry(options as TelemetryOptions);
  expect(wrong({ queuedSpans: "soon" })).toThrow(
    expect.objectContaining({ code: "invalid-duration" }),
  );
  expect(wrong({ queuedSpan: 5 })).toThrow(
    expect.objectContaining({
      code: "invalid-option",
      message: expect.stringContaining("queuedSpans") as string,
    }),
  );
});

function ms([seconds, nanoseconds]: HrTime): number {
  return seconds * 1_000 + nanoseconds / 1e6;
}

function lengthMs(span: ReadableSpan): number {
  return ms(span.endTime) - ms(span.startTime);
}
