const NAMES = ["traceparent", "tracestate", "baggage"] as const;

/**
 * The headers in which a trace goes on, out of all that a message has. What is sent to a machine
 * keeps no others: whoever sends it may write any.
 *
 * @returns undefined where there is no trace
 */
export function traceHeaders(
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> | undefined {
  if (headers["traceparent"] === undefined) return undefined;
  const found: Record<string, string> = {};
  for (const name of NAMES) if (headers[name] !== undefined) found[name] = headers[name];
  return found;
}
