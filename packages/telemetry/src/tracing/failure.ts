import { type Span, SpanStatusCode } from "@opentelemetry/api";
import { MillraceError, type RecordedError, recordError } from "@millrace/core";
import { maskText } from "../masking/index.ts";
import { ATTR } from "./attributes.ts";

/**
 * Marks a span as failed. Jaeger shows it red for its status alone, whatever exceptions it has.
 * Secrets in the error are masked.
 */
export function markFailed(span: Span, { type, ...error }: RecordedError): void {
  const message = maskText(error.message);
  const stack = error.stack === undefined ? undefined : maskText(error.stack);
  span.setAttribute(ATTR.errorType, type);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
  span.recordException({ name: type, message, ...(stack === undefined ? {} : { stack }) });
}

/**
 * What was thrown by a publish. Our own errors are told by their code, and their stack shows
 * nothing of the caller's.
 */
export function markThrown(span: Span, thrown: unknown): void {
  const { type, message, stack } = recordError(thrown);
  markFailed(span, {
    type,
    message,
    ...(stack === undefined || MillraceError.is(thrown) ? {} : { stack }),
  });
}
