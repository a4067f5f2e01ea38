import type { IncomingMessage } from "node:http";
import { context, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";

const tracer = trace.getTracer("shop");

/**
 * The span of an HTTP request. In an application, `@opentelemetry/instrumentation-http` makes it.
 */
export function inRequestSpan(
  request: IncomingMessage,
  answer: () => Promise<number>,
): Promise<number> {
  const caller = propagation.extract(context.active(), request.headers);
  const options = { kind: SpanKind.SERVER, attributes: { "url.path": request.url ?? "" } };
  const name = `${request.method} ${request.url}`;
  return tracer.startActiveSpan(name, options, caller, async (span) => {
    const status = await answer();
    span.setAttribute("http.response.status_code", status);
    if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
    return status;
  });
}
