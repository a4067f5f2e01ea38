import { trace } from "@opentelemetry/api";
import { defineJob } from "@millrace/core";
import { telemetry, type TelemetryOptions } from "@millrace/telemetry/tracing";
import { createTestRuntime, type TestRuntime } from "../testing/test-runtime.ts";
import { RecordedSpans } from "./recorded-spans.fixture.ts";

export const spans = new RecordedSpans();

export const work = defineJob<{ readonly fails?: number }>({
  name: "work",
  retry: { attempts: 3 },
});

export function runtime(
  jobs: readonly unknown[],
  options?: TelemetryOptions,
): Promise<TestRuntime> {
  return createTestRuntime({ jobs, instrumentation: telemetry(options) });
}

/** Calls a function inside a span, as an HTTP framework does for a request. */
export function request<Result>(call: () => Promise<Result>): Promise<Result> {
  return trace.getTracer("app").startActiveSpan("GET /order", async (span) => {
    try {
      return await call();
    } finally {
      span.end();
    }
  });
}
