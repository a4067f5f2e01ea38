import {
  type Context,
  context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import {
  type CreatedMessage,
  type Envelope,
  type Publication,
  type Published,
  recordError,
  tickOriginOf,
} from "@millrace/core";
import { addClient, addJob, ATTR, operationAttributes } from "./attributes.ts";
import { creationOf, extracted, hasTrace, injected } from "./carrier.ts";
import { markFailed, markThrown } from "./failure.ts";
import type { TelemetryConfig } from "./options.ts";

type Send<Result> = (envelopes: readonly Envelope[]) => Promise<readonly Result[]>;

/** So many of a bulk's refused jobs are named on its span. */
const NAMED_REFUSALS = 20;

/** One job: its `publish` span is what its attempts hang under. */
export function publishOne<Result extends Published>(
  tracer: Tracer,
  config: TelemetryConfig,
  { kind, endpoint, client }: Publication,
  envelope: Envelope,
  send: Send<Result>,
): Promise<readonly Result[]> {
  const parent = kind === "replay" ? context.active() : parentOf(envelope);
  const span = tracer.startSpan(
    `publish ${envelope.queue}`,
    {
      kind: SpanKind.PRODUCER,
      attributes: addClient(
        addJob(operationAttributes("publish", envelope.queue, endpoint()), envelope),
        client,
      ),
      links: kind === "replay" && config.propagation !== "none" ? firstLife(envelope) : [],
    },
    parent,
  );
  const own = trace.setSpan(parent, span);
  return underSpan(span, own, () => send([carrying(config, envelope, own)]));
}

/** Many jobs: a `create` span for each, and one `publish` span that links to them. */
export function publishMany<Result extends Published>(
  tracer: Tracer,
  config: TelemetryConfig,
  { envelopes, endpoint, client }: Publication,
  send: Send<Result>,
): Promise<readonly Result[]> {
  const parent = context.active();
  const [first] = envelopes;
  const queue = envelopes.every((one) => one.queue === first?.queue) ? first?.queue : undefined;
  const made = config.createSpans
    ? envelopes.map((one) => create(tracer, config, one, client))
    : undefined;
  const span = tracer.startSpan(
    queue === undefined ? "publish" : `publish ${queue}`,
    {
      // Where it is what the jobs hang under it is their producer.
      kind: made === undefined ? SpanKind.PRODUCER : SpanKind.CLIENT,
      attributes: {
        ...addClient(operationAttributes("publish", queue, endpoint()), client),
        [ATTR.batchCount]: envelopes.length,
      },
      links: made?.map(({ link }) => link) ?? [],
    },
    parent,
  );
  const own = trace.setSpan(parent, span);
  const sent =
    made?.map(({ envelope }) => envelope) ??
    envelopes.map((envelope) => carrying(config, envelope, own));
  return underSpan(span, own, () => send(sent));
}

/** One that waits in an outbox: its `create` span is what its readers hang under. */
export function createdHeaders(
  tracer: Tracer,
  config: TelemetryConfig,
  { destination, id, headers, job }: CreatedMessage,
): Readonly<Record<string, string>> {
  if (job !== undefined) return create(tracer, config, job).envelope.headers;
  const active = context.active();
  const parent = hasTrace(headers) ? extracted(headers, active) : active;
  // A subject may hold an id, and is no part of a name.
  const span = tracer.startSpan(
    "create",
    {
      kind: SpanKind.PRODUCER,
      attributes: {
        ...operationAttributes("create", destination, undefined),
        [ATTR.messageId]: id,
      },
    },
    parent,
  );
  span.end();
  return config.propagation === "none" ? headers : injected(headers, trace.setSpan(parent, span));
}

function create(
  tracer: Tracer,
  config: TelemetryConfig,
  envelope: Envelope,
  client?: string,
): { readonly envelope: Envelope; readonly link: Link } {
  const parent = parentOf(envelope);
  const span = tracer.startSpan(
    `create ${envelope.queue}`,
    {
      kind: SpanKind.PRODUCER,
      attributes: addClient(
        addJob(operationAttributes("create", envelope.queue, undefined), envelope),
        client,
      ),
    },
    parent,
  );
  span.end();
  return {
    envelope: carrying(config, envelope, trace.setSpan(parent, span)),
    link: { context: span.spanContext() },
  };
}

/**
 * A tick of a schedule is nobody's doing and starts a trace. A producer may name another context
 * than its own in the job's headers.
 */
function parentOf(envelope: Envelope): Context {
  if (tickOriginOf(envelope) !== undefined) return ROOT_CONTEXT;
  const active = context.active();
  return hasTrace(envelope.headers) ? extracted(envelope.headers, active) : active;
}

function firstLife({ headers }: Envelope): Link[] {
  const creation = creationOf(extracted(headers));
  return creation === undefined ? [] : [{ context: creation }];
}

export function carrying(config: TelemetryConfig, envelope: Envelope, own: Context): Envelope {
  return config.propagation === "none"
    ? envelope
    : { ...envelope, headers: injected(envelope.headers, own) };
}

async function underSpan<Result extends Published>(
  span: Span,
  own: Context,
  send: () => Promise<readonly Result[]>,
): Promise<readonly Result[]> {
  try {
    const results = await context.with(own, send);
    tellResults(span, results);
    return results;
  } catch (error) {
    markThrown(span, error);
    throw error;
  } finally {
    span.end();
  }
}

function tellResults(span: Span, results: readonly Published[]): void {
  const refused = results.filter((result) => !result.ok);
  const [first] = refused;
  if (first !== undefined) {
    const { type, message } = recordError(first.error);
    markFailed(span, {
      type,
      message:
        results.length === 1
          ? message
          : `${refused.length} of ${results.length} jobs were refused; the first: ${message}`,
    });
  }
  if (results.length === 1) {
    const [only] = results;
    if (only !== undefined && "duplicate" in only && only.duplicate === true)
      span.setAttribute(ATTR.duplicate, true);
    return;
  }
  for (const { error, ...one } of refused.slice(0, NAMED_REFUSALS))
    span.addEvent("job.refused", {
      [ATTR.errorType]: error.code,
      ...("id" in one && typeof one.id === "string" ? { [ATTR.jobId]: one.id } : {}),
    });
}
