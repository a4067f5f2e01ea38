import { context, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { ExportResultCode, W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  type SpanExporter,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Instrumentation } from "@millrace/core";
import { telemetry } from "millrace/telemetry";
import { millraceNode } from "./process.ts";
import type { Scenario } from "./scenario.ts";

/**
 * Takes every batch at once: what a collector and the way to it cost is theirs, and they would take
 * it from the same two processors.
 */
const taken: SpanExporter = {
  export: (_spans, done) => done({ code: ExportResultCode.SUCCESS }),
  shutdown: () => Promise.resolve(),
};

/**
 * OpenTelemetry as an application sets it up: every span sampled, exported in batches, the context
 * kept over every await.
 */
function everySpan(): Instrumentation {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(
    new TracerProvider({
      sampler: new AlwaysOnSampler(),
      spanProcessors: [new BatchSpanProcessor({ exporter: taken })],
    }),
  );
  return telemetry();
}

export const traced: Scenario = {
  name: "traced",
  question: "How many no-op jobs a second does one node run with tracing on, against tracing off?",
  amount: { full: 100_000, smoke: 500 },
  limit: millraceNode("Millrace node"),
  subject: millraceNode("Millrace node, every span", { instrumentation: everySpan }),
  goal: 0.8,
};
