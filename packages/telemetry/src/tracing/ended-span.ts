import { SpanKind, trace, ROOT_CONTEXT, type Tracer } from "@opentelemetry/api";
import { runnableAt, type Settlement, type SettlementInput } from "@millrace/core";
import { addJob, ATTR, operationAttributes, tellConsumer } from "./attributes.ts";
import { extracted } from "./carrier.ts";
import { markFailed } from "./failure.ts";
import { failureOf } from "./failure-of.ts";
import { linksOf } from "./links-of.ts";
import type { TelemetryConfig } from "./options.ts";
import { queuedSpan } from "./queued-span.ts";

/**
 * A job's end that no attempt tells of: it expired, was refused or cancelled before it could run. A
 * span, or its trace would end in nothing.
 */
export function endedSpan(
  tracer: Tracer,
  config: TelemetryConfig,
  { envelope, outcome, node, now }: SettlementInput,
  settlement: Settlement,
): void {
  const { headers } = envelope;
  const { propagation } = config;
  const from = propagation === "none" ? ROOT_CONTEXT : extracted(headers);
  const links = linksOf(config, headers, from);
  const attributes = addJob(operationAttributes("settle", envelope.queue, undefined), envelope);
  attributes[ATTR.outcome] = outcome.kind;
  attributes[ATTR.state] = settlement.state;
  tellConsumer(envelope, node, (key, value) => (attributes[key] = value));
  const span = tracer.startSpan(
    `settle ${envelope.queue}`,
    { kind: SpanKind.CLIENT, attributes, ...(links === undefined ? {} : { links }) },
    propagation === "parent" ? from : trace.deleteSpan(from),
  );
  if (WAITED.has(outcome.kind) && span.isRecording())
    queuedSpan(tracer, config, from, { envelope, node, waitedMs: now - runnableAt(envelope) });
  const failure = failureOf(outcome, settlement);
  if (failure !== undefined) markFailed(span, failure);
  span.end();
}

/** Ends of a job that waited until then. One that took its nodes down did run. */
const WAITED: ReadonlySet<string> = new Set(["expired", "cancelled"]);
