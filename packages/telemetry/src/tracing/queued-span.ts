import { type Attributes, type Context, SpanKind, type Tracer } from "@opentelemetry/api";
import type { Envelope } from "@millrace/core";
import { ATTR } from "./attributes.ts";
import { hangsUnderCreation } from "./carrier.ts";
import type { TelemetryConfig } from "./options.ts";
import { nameOf } from "./span-name.ts";

/** How long a job waited for the attempt that begins, or for an end without one. */
export interface QueuedTime {
  readonly envelope: Envelope;
  readonly node: string;
  /** Since the attempt could have started, milliseconds. */
  readonly waitedMs: number;
  /** How much of that at this node's limits; undefined where there were none to pass. */
  readonly limitedMs?: number | undefined;
}

/**
 * The time in which an attempt could have run and did not, as a span that ends now: a trace shows
 * what is spans, and a gap could as well be the time of a request that nobody traces. None where it
 * is short, or where nothing is there to hang it under.
 *
 * @param beside the context that the attempts hang under: this began before the attempt did
 */
export function queuedSpan(
  tracer: Tracer,
  config: TelemetryConfig,
  beside: Context,
  { envelope, node, waitedMs, limitedMs }: QueuedTime,
): void {
  if (waitedMs < config.queuedSpansMs || !hangsUnderCreation(config, beside)) return;
  const attributes: Attributes = {
    [ATTR.jobId]: envelope.id,
    [ATTR.jobName]: envelope.name,
    [ATTR.jobQueue]: envelope.queue,
    [ATTR.attempt]: envelope.attempts + 1,
    [ATTR.queueWaitMs]: waitedMs,
    [ATTR.node]: node,
  };
  if (limitedMs !== undefined) attributes[ATTR.limitWaitMs] = limitedMs;
  const now = Date.now();
  const options = { kind: SpanKind.INTERNAL, attributes, startTime: now - waitedMs };
  tracer.startSpan(nameOf("queued", envelope), options, beside).end(now);
}
