import type { Attributes, RecordedSpan, SpanKindName, SpanStatusName } from "./recorded-span.ts";

/** An OTLP `AnyValue` in its JSON form; 64-bit integers come as text. */
interface AnyValue {
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly intValue?: string | number;
  readonly doubleValue?: number;
  readonly arrayValue?: { readonly values?: readonly AnyValue[] };
}

interface KeyValue {
  readonly key: string;
  readonly value: AnyValue;
}

interface WithAttributes {
  readonly attributes?: readonly KeyValue[];
}

export interface TracesRequest {
  readonly resourceSpans?: readonly {
    readonly resource?: WithAttributes;
    readonly scopeSpans?: readonly {
      readonly scope?: { readonly name?: string };
      readonly spans?: readonly OtlpSpan[];
    }[];
  }[];
}

interface OtlpSpan extends WithAttributes {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind?: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status?: { readonly code?: number; readonly message?: string };
  readonly events?: readonly (WithAttributes & {
    readonly name: string;
    readonly timeUnixNano: string;
  })[];
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
}

export interface MetricsRequest {
  readonly resourceMetrics?: readonly {
    readonly resource?: WithAttributes;
    readonly scopeMetrics?: readonly {
      readonly metrics?: readonly OtlpMetric[];
    }[];
  }[];
}

interface OtlpMetric {
  readonly name: string;
  readonly unit?: string;
  readonly sum?: { readonly dataPoints?: readonly OtlpPoint[] };
  readonly gauge?: { readonly dataPoints?: readonly OtlpPoint[] };
  readonly histogram?: { readonly dataPoints?: readonly OtlpPoint[] };
}

interface OtlpPoint extends WithAttributes {
  readonly asInt?: string | number;
  readonly asDouble?: number;
  readonly count?: string | number;
  readonly sum?: number;
  readonly explicitBounds?: readonly number[];
  readonly bucketCounts?: readonly (string | number)[];
}

/** One point of a metric as it was sent. */
export interface RecordedPoint {
  readonly name: string;
  readonly unit: string;
  readonly form: "sum" | "gauge" | "histogram";
  /** Of a histogram: the sum of what it counted. */
  readonly value: number;
  /** Of a histogram: how many values it counted. */
  readonly count: number | undefined;
  /** Of a histogram: the upper bounds of its buckets. */
  readonly bounds: readonly number[] | undefined;
  readonly bucketCounts: readonly number[] | undefined;
  readonly attributes: Attributes;
  readonly resource: Attributes;
}

/** In the order of the numbers in the protocol; 0 is "unspecified". */
const KINDS: readonly SpanKindName[] = [
  "INTERNAL",
  "INTERNAL",
  "SERVER",
  "CLIENT",
  "PRODUCER",
  "CONSUMER",
];
const STATUSES: readonly SpanStatusName[] = ["UNSET", "OK", "ERROR"];

export function spansOf(request: TracesRequest): RecordedSpan[] {
  return (request.resourceSpans ?? []).flatMap(({ resource, scopeSpans = [] }) =>
    scopeSpans.flatMap(({ scope, spans = [] }) =>
      spans.map((span): RecordedSpan => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId === "" ? undefined : span.parentSpanId,
        name: span.name,
        kind: KINDS[span.kind ?? 0] ?? "INTERNAL",
        startedAtMs: millis(span.startTimeUnixNano),
        endedAtMs: millis(span.endTimeUnixNano),
        status: STATUSES[span.status?.code ?? 0] ?? "UNSET",
        statusMessage: span.status?.message,
        attributes: attributesOf(span),
        events: (span.events ?? []).map((event) => ({
          name: event.name,
          atMs: millis(event.timeUnixNano),
          attributes: attributesOf(event),
        })),
        links: (span.links ?? []).map(({ traceId, spanId }) => ({ traceId, spanId })),
        resource: attributesOf(resource ?? {}),
        scope: scope?.name ?? "",
      })),
    ),
  );
}

export function pointsOf(request: MetricsRequest): RecordedPoint[] {
  return (request.resourceMetrics ?? []).flatMap(({ resource, scopeMetrics = [] }) =>
    scopeMetrics
      .flatMap(({ metrics = [] }) => metrics)
      .flatMap((metric) =>
        (["sum", "gauge", "histogram"] as const).flatMap((form) =>
          (metric[form]?.dataPoints ?? []).map((point): RecordedPoint => ({
            name: metric.name,
            unit: metric.unit ?? "",
            form,
            value: Number(point.asInt ?? point.asDouble ?? point.sum ?? 0),
            count: point.count === undefined ? undefined : Number(point.count),
            bounds: point.explicitBounds,
            bucketCounts: point.bucketCounts?.map(Number),
            attributes: attributesOf(point),
            resource: attributesOf(resource ?? {}),
          })),
        ),
      ),
  );
}

function attributesOf({ attributes = [] }: WithAttributes): Attributes {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, plain(value)]));
}

function plain(value: AnyValue): Attributes[string] {
  if (value.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(plain);
  if (value.intValue !== undefined) return Number(value.intValue);
  return value.stringValue ?? value.boolValue ?? value.doubleValue ?? "";
}

/**
 * With the fraction: a double holds a time of this century in milliseconds to less than a
 * microsecond.
 */
function millis(nanos: string): number {
  const whole = BigInt(nanos);
  return Number(whole / 1_000_000n) + Number(whole % 1_000_000n) / 1e6;
}
