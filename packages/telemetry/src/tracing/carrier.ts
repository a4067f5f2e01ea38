import {
  type Context,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  type SpanContext,
  type TextMapGetter,
  trace,
} from "@opentelemetry/api";
import type { TelemetryConfig } from "./options.ts";

type Headers = Readonly<Record<string, string>>;

/**
 * The span of the attempt before, in the form of a `traceparent`, as it travels in a job's headers.
 * The runtime writes it where a job is requeued; it names a link and nothing else, so one that a
 * producer makes up does no harm.
 */
export const PREVIOUS_ATTEMPT = "traceparent-previous-attempt";

/**
 * Any client may write these headers, in whatever case; only keys that a producer of ours was given
 * are not in lower case by now.
 */
const ANY_CASE: TextMapGetter<Headers> = {
  keys: (headers) => Object.keys(headers),
  get: (headers, key) => headers[key] ?? foundInAnyCase(headers, key),
};

function foundInAnyCase(headers: Headers, key: string): string | undefined {
  const wanted = key.toLowerCase();
  for (const name in headers)
    if (name.length === wanted.length && name.toLowerCase() === wanted) return headers[name];
  return undefined;
}

/** `base` with the span and the baggage that the headers name. */
export function extracted(headers: Headers, base: Context = ROOT_CONTEXT): Context {
  return propagation.extract(base, headers, ANY_CASE);
}

/** The span that a job was created in, as its headers say; undefined where they say nothing. */
export function creationOf(context: Context): SpanContext | undefined {
  const span = trace.getSpanContext(context);
  return span !== undefined && isSpanContextValid(span) ? span : undefined;
}

/** Whether something is there to be a span's parent that began before the attempt. */
export function hangsUnderCreation(
  { propagation: how }: Pick<TelemetryConfig, "propagation">,
  from: Context,
): boolean {
  return how === "parent" && creationOf(from) !== undefined;
}

/** Whether headers name a trace, whatever its format. */
export function hasTrace(headers: Headers): boolean {
  return creationOf(extracted(headers)) !== undefined;
}

/** The headers with the context in them, in place of whatever context they had. */
export function injected(headers: Headers, context: Context): Headers {
  const replaced = new Set([...propagation.fields(), PREVIOUS_ATTEMPT]);
  const carrier: Record<string, string> = {};
  for (const name in headers)
    if (!replaced.has(name.toLowerCase())) carrier[name] = headers[name] as string;
  propagation.inject(context, carrier);
  return carrier;
}

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

export function previousAttempt(headers: Headers): SpanContext | undefined {
  const text = headers[PREVIOUS_ATTEMPT];
  if (text === undefined) return undefined;
  const [, traceId, spanId, flags] = TRACEPARENT.exec(text) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  const span = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return isSpanContextValid(span) ? span : undefined;
}

export function withPreviousAttempt(headers: Headers, span: SpanContext): Headers {
  const flags = span.traceFlags.toString(16).padStart(2, "0");
  return { ...headers, [PREVIOUS_ATTEMPT]: `00-${span.traceId}-${span.spanId}-${flags}` };
}
