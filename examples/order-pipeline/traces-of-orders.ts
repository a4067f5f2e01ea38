import { expect } from "vitest";
import { outline, type RecordedSpan, serviceOf } from "../../test/harness/recorded-span.ts";
import { checkTraces } from "../../test/harness/trace-shape.ts";

/** Asserts what the traces of the example have to look like, wherever they were read from. */
export function expectPaidAndShipped(trace: readonly RecordedSpan[], order: string): void {
  const said = outline(trace);
  expect(checkTraces(trace), said).toEqual([]);
  expect(new Set(trace.map(({ traceId }) => traceId)).size, said).toBe(1);
  expect(trace.filter(({ parentSpanId }) => parentSpanId === undefined)).toMatchObject([
    { name: "POST /orders", kind: "SERVER" },
  ]);

  const [busy, paid, shipped, ...more] = attemptsIn(trace);
  expect(more, said).toEqual([]);
  expect(busy, said).toMatchObject({
    name: "process order.charge",
    status: "ERROR",
    statusMessage: "the bank is busy",
    attributes: { "job.id": `charge-${order}`, "job.attempt": 1, "job.outcome": "failed" },
  });
  expect(paid, said).toMatchObject({
    name: "process order.charge (attempt 2)",
    status: "UNSET",
    attributes: { "job.id": `charge-${order}`, "job.attempt": 2, "job.outcome": "succeeded" },
  });
  expect(shipped, said).toMatchObject({
    name: "process order.ship",
    status: "UNSET",
    attributes: { "job.id": `ship-${order}`, "job.attempt": 1, "job.outcome": "succeeded" },
  });
  expect([busy, paid, shipped].map((span) => span && serviceOf(span))).toEqual([
    "payments",
    "payments",
    "warehouse",
  ]);
  // The child job hangs under the attempt that enqueued it, and the handler's own span too.
  const enqueued = parentOf(shipped, trace);
  expect(enqueued, said).toMatchObject({ kind: "PRODUCER", name: "publish warehouse" });
  expect(parentOf(enqueued, trace), said).toBe(paid);
  const asked = inOrder(trace.filter(({ name }) => name === "ask the bank"));
  expect(
    asked.map((span) => parentOf(span, trace)?.spanId),
    said,
  ).toEqual([busy?.spanId, paid?.spanId]);
  const scheduledAt = enqueued?.attributes["job.scheduled_at"];
  expect(shipped?.attributes["job.scheduled_at"]).toBe(scheduledAt);
  // Never before its time; spans may be rounded.
  expect(shipped?.startedAtMs).toBeGreaterThan(Date.parse(String(scheduledAt)) - 5);
}

export function expectDead(trace: readonly RecordedSpan[], order: string): void {
  const said = outline(trace);
  expect(checkTraces(trace), said).toEqual([]);
  const attempts = attemptsIn(trace);
  expect(attempts, said).toMatchObject([
    {
      status: "ERROR",
      statusMessage: "the bank keeps the card",
      attributes: { "job.id": `charge-${order}`, "job.attempt": 1 },
    },
  ]);
}

/** A tick is a trace of its own, and its job runs in that. */
export function expectTick(trace: readonly RecordedSpan[]): void {
  const said = outline(trace);
  expect(checkTraces(trace), said).toEqual([]);
  expect(trace.filter(({ parentSpanId }) => parentSpanId === undefined)).toMatchObject([
    { name: "publish warehouse", kind: "PRODUCER" },
  ]);
  expect(attemptsIn(trace), said).toMatchObject([
    { name: "process stock.count", attributes: { "job.schedule": "stock" } },
  ]);
}

/** The spans of the trace in which a job ran. */
export function traceOfJob(spans: readonly RecordedSpan[], job: string): readonly RecordedSpan[] {
  const one = spans.find(({ attributes }) => attributes["job.id"] === job);
  return spans.filter(({ traceId }) => traceId === one?.traceId);
}

export function attemptsIn(trace: readonly RecordedSpan[]): readonly RecordedSpan[] {
  return inOrder(trace.filter(({ kind }) => kind === "CONSUMER"));
}

function inOrder(spans: readonly RecordedSpan[]): readonly RecordedSpan[] {
  return spans.toSorted((a, b) => a.startedAtMs - b.startedAtMs);
}

function parentOf(
  span: RecordedSpan | undefined,
  trace: readonly RecordedSpan[],
): RecordedSpan | undefined {
  return trace.find(({ spanId }) => spanId === span?.parentSpanId);
}
