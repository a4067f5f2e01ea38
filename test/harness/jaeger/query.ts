import type { Attributes, RecordedSpan, SpanKindName, SpanStatusName } from "../recorded-span.ts";

/** What Jaeger's page asks, asked by a test. */
export interface JaegerQuery {
  services(): Promise<readonly string[]>;
  /** The spans of the traces in which one span of the service has all the tags. */
  find(service: string, tags: Readonly<Record<string, string>>): Promise<readonly RecordedSpan[]>;
  trace(traceId: string): Promise<readonly RecordedSpan[]>;
  /** The arrows of the dependency graph: who called whom, how often. */
  dependencies(): Promise<readonly Dependency[]>;
}

export interface Dependency {
  readonly parent: string;
  readonly child: string;
  readonly callCount: number;
}

interface JaegerTag {
  readonly key: string;
  readonly value: string | number | boolean;
}

interface JaegerTrace {
  readonly spans: readonly JaegerSpan[];
  readonly processes: Readonly<
    Record<string, { readonly serviceName: string; readonly tags: readonly JaegerTag[] }>
  >;
}

interface JaegerSpan {
  readonly traceID: string;
  readonly spanID: string;
  readonly operationName: string;
  readonly references: readonly {
    readonly refType: "CHILD_OF" | "FOLLOWS_FROM";
    readonly traceID: string;
    readonly spanID: string;
  }[];
  /** Microseconds, as the duration. */
  readonly startTime: number;
  readonly duration: number;
  readonly tags: readonly JaegerTag[];
  readonly logs: readonly { readonly timestamp: number; readonly fields: readonly JaegerTag[] }[];
  readonly processID: string;
}

const HOUR_MS = 3_600_000;

export function jaegerQuery(url: string): JaegerQuery {
  const ask = async <T>(path: string): Promise<T> => {
    const response = await fetch(`${url}/api/${path}`);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return ((await response.json()) as { readonly data: T }).data;
  };
  return {
    services: async () => (await ask<readonly string[] | null>("services")) ?? [],
    async find(service, tags) {
      const query = new URLSearchParams({ service, tags: JSON.stringify(tags), limit: "100" });
      return (await ask<readonly JaegerTrace[]>(`traces?${query.toString()}`)).flatMap(
        spansOfTrace,
      );
    },
    trace: async (id) => (await ask<readonly JaegerTrace[]>(`traces/${id}`)).flatMap(spansOfTrace),
    dependencies: async () =>
      (await ask<readonly Dependency[] | null>(
        `dependencies?endTs=${Date.now() + HOUR_MS}&lookback=${2 * HOUR_MS}`,
      )) ?? [],
  };
}

function spansOfTrace({ spans, processes }: JaegerTrace): RecordedSpan[] {
  return spans.map((span): RecordedSpan => {
    const tags = attributesOf(span.tags);
    const service = processes[span.processID];
    // Jaeger turns the parent and the links into references, the parent's first; no link of ours is
    // to a parent.
    const parent = span.references.find(({ refType }) => refType === "CHILD_OF");
    const status = tags["otel.status_code"];
    const description = tags["otel.status_description"];
    return {
      traceId: span.traceID,
      spanId: span.spanID,
      parentSpanId: parent?.spanID,
      name: span.operationName,
      kind: String(tags["span.kind"] ?? "internal").toUpperCase() as SpanKindName,
      startedAtMs: span.startTime / 1_000,
      endedAtMs: (span.startTime + span.duration) / 1_000,
      status: (status ?? (tags["error"] === true ? "ERROR" : "UNSET")) as SpanStatusName,
      statusMessage: description === undefined ? undefined : String(description),
      attributes: tags,
      events: span.logs.map(({ timestamp, fields }) => {
        const { event, ...attributes } = attributesOf(fields);
        return { name: String(event), atMs: timestamp / 1_000, attributes };
      }),
      links: span.references
        .filter((one) => one !== parent)
        .map(({ traceID, spanID }) => ({ traceId: traceID, spanId: spanID })),
      resource: {
        "service.name": service?.serviceName ?? "",
        ...attributesOf(service?.tags ?? []),
      },
      scope: String(tags["otel.scope.name"] ?? ""),
    };
  });
}

function attributesOf(tags: readonly JaegerTag[]): Attributes {
  return Object.fromEntries(tags.map(({ key, value }) => [key, value]));
}
