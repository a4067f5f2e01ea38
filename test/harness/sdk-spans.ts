import { context, metrics, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { NodeSDK } from "@opentelemetry/sdk-node";
import {
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  type SpanProcessor,
} from "@opentelemetry/sdk-trace";
import type { Attributes, RecordedSpan, SpanKindName, SpanStatusName } from "./recorded-span.ts";

export interface SpansInMemory {
  /** Those that have ended, in the order in which they did. */
  spans(): readonly RecordedSpan[];
  /** Forgets them. */
  reset(): void;
  stop(): Promise<void>;
}

/**
 * OpenTelemetry for this whole process, as an application registers it. Spans stay in memory.
 * `others` are told of each span too.
 */
export function recordSpansInMemory(...others: readonly SpanProcessor[]): SpansInMemory {
  const exporter = new InMemorySpanExporter();
  const sdk = new NodeSDK({
    serviceName: "test",
    spanProcessors: [new SimpleSpanProcessor({ exporter }), ...others],
    metricReaders: [],
    logRecordProcessors: [],
  });
  sdk.start();
  return {
    spans: () => exporter.getFinishedSpans().map(recorded),
    reset: () => exporter.reset(),
    // What is registered stays so after a shutdown: the next one's spans would go to this one.
    stop: async () => {
      await sdk.shutdown();
      for (const api of [trace, context, propagation, metrics]) api.disable();
    },
  };
}

function recorded(span: ReadableSpan): RecordedSpan {
  const { traceId, spanId } = span.spanContext();
  return {
    traceId,
    spanId,
    parentSpanId: span.parentSpanContext?.spanId,
    name: span.name,
    kind: SpanKind[span.kind] as SpanKindName,
    startedAtMs: millis(span.startTime),
    endedAtMs: millis(span.endTime),
    status: SpanStatusCode[span.status.code] as SpanStatusName,
    statusMessage: span.status.message,
    attributes: span.attributes as Attributes,
    events: span.events.map(({ name, time, attributes = {} }) => ({
      name,
      atMs: millis(time),
      attributes: attributes as Attributes,
    })),
    links: span.links.map(({ context }) => ({ traceId: context.traceId, spanId: context.spanId })),
    resource: span.resource.attributes as Attributes,
    scope: span.instrumentationScope.name,
  };
}

function millis([seconds, nanos]: readonly [number, number]): number {
  return seconds * 1_000 + nanos / 1e6;
}
