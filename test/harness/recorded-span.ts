/**
 * A finished span as a backend got it: the same form whether it was read from the sink of the tests
 * or from Jaeger.
 */
export interface RecordedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Undefined for the root of a trace. */
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind: SpanKindName;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly status: SpanStatusName;
  readonly statusMessage: string | undefined;
  readonly attributes: Attributes;
  readonly events: readonly SpanEvent[];
  readonly links: readonly SpanLink[];
  /** What the process that made it says of itself: `service.name`, `host.name` … */
  readonly resource: Attributes;
  /** The name of the tracer. */
  readonly scope: string;
}

export type SpanKindName = "INTERNAL" | "SERVER" | "CLIENT" | "PRODUCER" | "CONSUMER";
export type SpanStatusName = "UNSET" | "OK" | "ERROR";
type AttributeValue = string | number | boolean | readonly AttributeValue[];
export type Attributes = Readonly<Record<string, AttributeValue>>;

export interface SpanEvent {
  readonly name: string;
  readonly atMs: number;
  readonly attributes: Attributes;
}

export interface SpanLink {
  readonly traceId: string;
  readonly spanId: string;
}

export function serviceOf(span: RecordedSpan): string {
  return String(span.resource["service.name"]);
}

const LONGEST_OUTLINE = 200;

/** One line a span, indented under its parent: what a failed test prints. */
export function outline(spans: readonly RecordedSpan[]): string {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const under = (parent: string | undefined, depth: number): string[] =>
    spans
      .filter(({ parentSpanId: id }) =>
        parent === undefined ? id === undefined || !ids.has(id) : id === parent,
      )
      .toSorted((a, b) => a.startedAtMs - b.startedAtMs)
      .flatMap((span) => [
        `${"  ".repeat(depth)}${span.kind} ${span.name} [${serviceOf(span)}] ${span.status}`,
        ...under(span.spanId, depth + 1),
      ]);
  const lines = under(undefined, 0);
  const more = lines.splice(LONGEST_OUTLINE).length;
  return [...lines, ...(more > 0 ? [`… and ${more} more`] : [])].join("\n");
}
