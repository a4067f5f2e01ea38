import { type Attributes, context, SpanKind, trace, type Tracer } from "@opentelemetry/api";
import type { MachineTransition } from "@millrace/core";
import { maskText } from "../masking/index.ts";
import { ATTR } from "./attributes.ts";
import { creationOf, extracted } from "./carrier.ts";
import { markFailed, markThrown } from "./failure.ts";
import { EMPTY_CONTEXT } from "./lone-context.ts";
import type { TelemetryConfig } from "./options.ts";

/** An event's type is whatever its sender wrote. */
const LONGEST = 100;

/**
 * The span of what one event made of a machine, from its being taken in hand until what follows
 * from it is done. What that enqueues is below it.
 */
export async function transitionSpan<Result>(
  tracer: Tracer,
  { propagation }: TelemetryConfig,
  transition: MachineTransition,
  effects: () => Promise<Result>,
): Promise<Result> {
  const { machine, headers, error, tookMs } = transition;
  const from = propagation === "none" ? EMPTY_CONTEXT : extracted(headers, EMPTY_CONTEXT);
  const parent = propagation === "parent" ? from : trace.deleteSpan(from);
  const sender = propagation === "link" ? creationOf(from) : undefined;
  const span = tracer.startSpan(
    `transition ${machine}`,
    {
      kind: SpanKind.INTERNAL,
      attributes: attributesOf(transition),
      links: sender === undefined ? [] : [{ context: sender }],
      startTime: Date.now() - tookMs,
    },
    parent,
  );
  if (error !== undefined) markFailed(span, error);
  try {
    return await context.with(trace.setSpan(parent, span), effects);
  } catch (threw) {
    markThrown(span, threw);
    throw threw;
  } finally {
    span.end();
  }
}

/** Neither the context of a machine nor what an event carries. */
function attributesOf(transition: MachineTransition): Attributes {
  const { machine, id, kind, event, before, after, status, revision, node, error } = transition;
  return {
    [ATTR.machineName]: machine,
    [ATTR.machineId]: id,
    [ATTR.machineEvent]: maskText(event.slice(0, LONGEST)),
    [ATTR.machineEventKind]: kind,
    ...(before === undefined ? {} : { [ATTR.machineBefore]: stateOf(before) }),
    [ATTR.machineAfter]: stateOf(after),
    [ATTR.machineStatus]: status,
    [ATTR.machineRevision]: revision,
    [ATTR.machineOutcome]: error === undefined ? "taken" : "failed",
    [ATTR.node]: node,
  };
}

function stateOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
