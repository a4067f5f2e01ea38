import { SpanKind, trace } from "@opentelemetry/api";
import type { SpanProcessor } from "@opentelemetry/sdk-trace";
import { defineJob } from "millrace";
import { telemetry } from "millrace/telemetry";
import { createTestRuntime } from "millrace/testing";
import { charge } from "../../../examples/order-pipeline/jobs.ts";
import charging from "../../../examples/order-pipeline/payments.ts";
import { shipping } from "../../../examples/order-pipeline/warehouse.ts";
import type { RecordedSpan } from "../../harness/recorded-span.ts";
import { recordSpansInMemory } from "../../harness/sdk-spans.ts";

/** That a span began or ended. The order of these is the same in every run. */
export interface Moment {
  readonly spanId: string;
  readonly what: "start" | "end";
  /** Of the simulated clock, from the first moment on. */
  readonly atMs: number;
}

export interface RecordedTrace {
  readonly spans: readonly RecordedSpan[];
  readonly moments: readonly Moment[];
}

/** The next link of the chain: it is given what `order.charge` returned. */
const receipt = defineJob<unknown>({ name: "order.receipt", queue: "mail" });

/**
 * One order of examples/order-pipeline, in memory: a request, a charge that the bank refuses at
 * first, the shipment that the charge enqueues, and a receipt as the chain's next link. Once in a
 * process: the example's tracer keeps the first SDK that it met.
 */
export async function recordTrace(): Promise<RecordedTrace> {
  let now = (): number => 0;
  const moments: Moment[] = [];
  const note = (spanId: string, what: Moment["what"]): void => {
    moments.push({ spanId, what, atMs: now() });
  };
  const recording = recordSpansInMemory({
    onStart: (span) => note(span.spanContext().spanId, "start"),
    onEnd: (span) => note(span.spanContext().spanId, "end"),
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  } satisfies SpanProcessor);
  try {
    await using t = await createTestRuntime({
      jobs: [charging, shipping, receipt.handler(() => "sent")],
      instrumentation: telemetry(),
    });
    const beganAt = t.clock.now();
    now = () => t.clock.now() - beganAt;
    await trace
      .getTracer("shop")
      .startActiveSpan("POST /orders", { kind: SpanKind.SERVER }, async (span) => {
        const order = { order: "1a2b3c4d", item: "a book", card: "valid" };
        await t.client.chain(charge, order, { id: "charge-1a2b3c4d" }).next(receipt).enqueue();
        span.end();
      });
    await t.drain();
    return { spans: recording.spans(), moments };
  } finally {
    await recording.stop();
  }
}
