import { isSpanContextValid, trace } from "@opentelemetry/api";

/** The names that OpenTelemetry gives them in logs that are not its own. */
export interface TraceIds {
  readonly trace_id: string;
  readonly span_id: string;
}

/** Of the span in which this is called; undefined where there is none, or no SDK. */
export function activeTraceIds(): TraceIds | undefined {
  const context = trace.getActiveSpan()?.spanContext();
  if (context === undefined || !isSpanContextValid(context)) return undefined;
  return { trace_id: context.traceId, span_id: context.spanId };
}
