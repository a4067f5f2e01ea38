import type { Link, SpanContext } from "@opentelemetry/api";
import { previousAttempt } from "./carrier.ts";
import type { TelemetryConfig } from "./options.ts";

/**
 * What a job's next span links to: the attempt before, and under `propagation: "link"` the creation. Undefined where that is nothing, as for
 * most. Never what is its parent already.
 */
export function linksOf(
  { propagation }: TelemetryConfig,
  headers: Readonly<Record<string, string>>,
  creation: SpanContext | undefined,
): Link[] | undefined {
  if (propagation === "none") return undefined;
  const links: Link[] = [];
  if (propagation === "link" && creation !== undefined) links.push({ context: creation });
  const previous = previousAttempt(headers);
  // Of a job that came without a trace the first attempt is the parent of the others.
  if (previous !== undefined && previous.spanId !== creation?.spanId)
    links.push({ context: previous });
  return links.length === 0 ? undefined : links;
}
