import { context, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  CompositePropagator,
  W3CBaggagePropagator,
  W3CTraceContextPropagator,
} from "@opentelemetry/core";
import {
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";

/** An SDK for one test file: spans end up in memory, in the order in which they ended. */
export class RecordedSpans {
  readonly #exporter = new InMemorySpanExporter();
  readonly provider = new TracerProvider({
    spanProcessors: [new SimpleSpanProcessor({ exporter: this.#exporter })],
  });

  /** The globals of a process: one per test file. */
  register(): void {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager());
    propagation.setGlobalPropagator(
      new CompositePropagator({
        propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()],
      }),
    );
    trace.setGlobalTracerProvider(this.provider);
  }

  unregister(): void {
    trace.disable();
    propagation.disable();
    context.disable();
  }

  clear(): void {
    this.#exporter.reset();
  }

  /** In the order in which they began. */
  get all(): readonly ReadableSpan[] {
    return this.#exporter
      .getFinishedSpans()
      .toSorted(({ startTime: [aS, aNs] }, { startTime: [bS, bNs] }) => aS - bS || aNs - bNs);
  }

  named(name: string): readonly ReadableSpan[] {
    return this.all.filter((span) => span.name === name);
  }

  /** All of a kind of job, whatever their numbers: a later attempt has its own in its name. */
  attemptsOf(job: string): readonly ReadableSpan[] {
    return this.all.filter(
      ({ kind, attributes }) => kind === SpanKind.CONSUMER && attributes["job.name"] === job,
    );
  }

  /** @throws Error unless there is exactly one */
  one(name: string): ReadableSpan {
    const found = this.named(name);
    if (found.length === 1) return found[0] as ReadableSpan;
    throw new Error(
      `${found.length} spans are called ${name}; there are: ${this.all.map((span) => span.name).join(", ")}`,
    );
  }

  /** The spans of all traces as trees, one line a span: `CONSUMER process mail.welcome ERROR`. */
  tree(): string {
    const all = this.all;
    const roots = all.filter(
      ({ parentSpanContext: parent }) =>
        parent === undefined || !all.some((span) => span.spanContext().spanId === parent.spanId),
    );
    const lines = (span: ReadableSpan, depth: number): readonly string[] => [
      `${"  ".repeat(depth)}${SpanKind[span.kind]} ${span.name}${span.status.code === SpanStatusCode.ERROR ? " ERROR" : ""}`,
      ...all
        .filter((child) => child.parentSpanContext?.spanId === span.spanContext().spanId)
        .flatMap((child) => lines(child, depth + 1)),
    ];
    return roots.flatMap((root) => lines(root, 0)).join("\n");
  }
}

export function idOf(span: ReadableSpan): string {
  return span.spanContext().spanId;
}

export function linksOf(span: ReadableSpan): readonly string[] {
  return span.links.map((link) => link.context.spanId);
}
