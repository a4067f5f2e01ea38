import type { Context, Link } from "@opentelemetry/api";
import { creationOf, previousAttempt } from "./carrier.ts";
import type { TelemetryConfig } from "./options.ts";

/**
 * What a job's next span links to: the attempt before, and under `propagation: "link"` the
 * creation. Undefined where that is nothing, as for most. Never what is its parent already.
 *
 * @param from the context that the headers name
 */
export function linksOf(
  { propagation }: TelemetryConfig,
  headers: Readonly<Record<string, string>>,
  from: Context,
): Link[] | undefined {
  if (propagation === "none") return undefined;
  const previous = previousAttempt(headers);
  if (previous === undefined && propagation !== "link") return undefined;
  const creation = creationOf(from);
  const links: Link[] = [];
  if (propagation === "link" && creation !== undefined) links.push({ context: creation });
  // If a job came without a trace, its first attempt is the parent of the others.
  if (previous !== undefined && previous.spanId !== creation?.spanId)
    links.push({ context: previous });
  return links.length === 0 ? undefined : links;
}
